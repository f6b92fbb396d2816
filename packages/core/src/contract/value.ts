/** Bytes as every port takes and gives them. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** A value, or a promise of one. A plain value is the fast path: nothing is awaited. */
export type MaybePromise<T> = T | Promise<T>;

/**
 * What may cross any boundary: plain data and bytes. Bytes travel as base64 in JSON (`{"$bytes": "…"}`), bigint as a
 * decimal string (`{"$bigint": "…"}`). Nothing else is copied: a function, a symbol or a class instance is `INVALID_PAYLOAD`
 * where a copy is needed. Native modules in the host's own thread receive the very object.
 */
export type Value =
  | undefined
  | null
  | boolean
  | number
  | string
  | bigint
  | Uint8Array
  | readonly Value[]
  | { readonly [key: string]: Value };
