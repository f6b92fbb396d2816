const ending = import.meta.url.endsWith(".ts") ? "ts" : "js";

/** The first program in a thread; it loads the one that was asked for. */
export const threadProgram: URL = new URL(`./programs/thread-end.${ending}`, import.meta.url);
