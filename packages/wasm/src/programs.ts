/** Sources lie as they were written, builds as tsup makes them: programs in `isolation/` in both. */
const ending = import.meta.url.endsWith(".ts") ? "ts" : "js";

/** Runs one guest in a thread of its own. */
export const threadProgram: URL = new URL(`./isolation/thread.${ending}`, import.meta.url);

/** Runs one guest in a process of its own. */
export const childProgram: URL = new URL(`./isolation/child.${ending}`, import.meta.url);
