// The host's functions. AssemblyScript names the module of an import after the file that declares it: this one must be
// called keelson.

export declare function log(level: i32, ptr: usize, len: i32): void;
