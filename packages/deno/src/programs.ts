const ending = import.meta.url.endsWith(".ts") ? "ts" : "js";

/** What is loaded in a child before its program: wires it to its standard input and output. */
export const childEndProgram: URL = new URL(`./programs/child-end.${ending}`, import.meta.url);
