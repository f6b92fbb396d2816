/** Sources lie as they were written, builds as tsup makes them: each program beside its own kind. */
const ending = import.meta.url.endsWith(".ts") ? "ts" : "js";

/** What is loaded before a program that is a child over `node:process`: wires it to its standard input and output. */
export const childEndProgram: URL = new URL(`./programs/child-end.${ending}`, import.meta.url);

/** The first program in a thread of a runtime with web workers; it loads the one that was asked for. */
export const webThreadProgram: URL = new URL(`./programs/web-thread-end.${ending}`, import.meta.url);
