// The package on Deno; package.json picks it by export condition.
export {};
