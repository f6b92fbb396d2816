/**
 * A door is the one place where an effect is checked. A module gets doors instead of powers; closing one makes every later use fail with
 * `DOOR_CLOSED`, whoever still holds it.
 */
export interface Door {
  readonly open: boolean;
  /** Closes for good. */
  close(): void;
}
