import type { KeelsonError } from "../contract/errors.ts";
import type { Value } from "../contract/value.ts";

/** What events tell of an error. */
export function summaryOf({ code, message }: KeelsonError): {
  readonly code: string;
  readonly message: string;
} {
  return { code, message };
}

/** How long the message is of what an event tells of an error; a child or a guest may have written it. */
export function messageLength(data: Value): number | undefined {
  const { message, error } = data as { message?: string; error?: { message?: string } };
  return (message ?? error?.message)?.length;
}
