/** The options that are given: an absent one is to be absent, and not undefined. */
export function given<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as ReturnType<typeof given<T>>;
}

/** Options with their defaults filled in: none is absent, and none undefined. */
export type Filled<T> = { readonly [K in keyof T]-?: Exclude<T[K], undefined> };
