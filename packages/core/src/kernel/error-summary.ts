import type { KeelsonError } from "../contract/errors.ts";

/** What events tell of an error. */
export function summaryOf({ code, message }: KeelsonError): {
  readonly code: string;
  readonly message: string;
} {
  return { code, message };
}
