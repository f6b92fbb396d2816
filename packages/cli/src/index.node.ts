// The package on Node; package.json picks it by export condition.
export {};
