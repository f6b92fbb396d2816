// The package on Bun; package.json picks it by export condition.
export {};
