// The part of the WebAssembly JavaScript interface that all supported runtimes have, written by hand: the DOM library
// would bring timers, fetch and console into scope with it.

declare namespace WebAssembly {
  type ValueType = "i32" | "i64" | "f32" | "f64" | "v128" | "anyfunc" | "externref";
  type ImportExportKind = "function" | "table" | "memory" | "global" | "tag";
  type ExportValue = ((...args: never[]) => unknown) | Global | Memory | Table | Tag;
  type ImportValue = ExportValue | number | bigint;
  type Imports = Record<string, Record<string, ImportValue>>;
  type Exports = Record<string, ExportValue>;

  interface ModuleImportDescriptor {
    readonly module: string;
    readonly name: string;
    readonly kind: ImportExportKind;
  }
  interface ModuleExportDescriptor {
    readonly name: string;
    readonly kind: ImportExportKind;
  }

  interface Module {
    readonly [Symbol.toStringTag]: string;
  }
  const Module: {
    readonly prototype: Module;
    new (bytes: ArrayBufferView | ArrayBuffer): Module;
    imports(module: Module): ModuleImportDescriptor[];
    exports(module: Module): ModuleExportDescriptor[];
    customSections(module: Module, name: string): ArrayBuffer[];
  };

  interface Instance {
    readonly exports: Exports;
  }
  const Instance: {
    readonly prototype: Instance;
    new (module: Module, imports?: Imports): Instance;
  };

  interface MemoryDescriptor {
    readonly initial: number;
    readonly maximum?: number;
    readonly shared?: boolean;
  }
  interface Memory {
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  }
  const Memory: {
    readonly prototype: Memory;
    new (descriptor: MemoryDescriptor): Memory;
  };

  interface TableDescriptor {
    readonly element: "anyfunc" | "externref";
    readonly initial: number;
    readonly maximum?: number;
  }
  interface Table {
    readonly length: number;
    get(index: number): unknown;
    set(index: number, value?: unknown): void;
    grow(delta: number, value?: unknown): number;
  }
  const Table: {
    readonly prototype: Table;
    new (descriptor: TableDescriptor, value?: unknown): Table;
  };

  interface GlobalDescriptor {
    readonly value: ValueType;
    readonly mutable?: boolean;
  }
  interface Global {
    value: unknown;
    valueOf(): unknown;
  }
  const Global: {
    readonly prototype: Global;
    new (descriptor: GlobalDescriptor, value?: unknown): Global;
  };

  interface Tag {
    readonly [Symbol.toStringTag]: string;
  }
  const Tag: {
    readonly prototype: Tag;
    new (type: { readonly parameters: readonly ValueType[] }): Tag;
  };

  interface Exception extends Error {
    is(tag: Tag): boolean;
    getArg(tag: Tag, index: number): unknown;
  }
  const Exception: {
    readonly prototype: Exception;
    new (tag: Tag, payload: readonly unknown[]): Exception;
  };

  interface CompileError extends Error {}
  const CompileError: { readonly prototype: CompileError; new (message?: string): CompileError };
  interface LinkError extends Error {}
  const LinkError: { readonly prototype: LinkError; new (message?: string): LinkError };
  interface RuntimeError extends Error {}
  const RuntimeError: { readonly prototype: RuntimeError; new (message?: string): RuntimeError };

  /** Absent where the engine cannot suspend guests. */
  const Suspending: (new (run: (...args: never[]) => unknown) => Suspending) | undefined;
  interface Suspending {
    readonly [Symbol.toStringTag]: string;
  }
  interface SuspendError extends Error {}
  const SuspendError: { readonly prototype: SuspendError; new (message?: string): SuspendError } | undefined;
  const promising:
    | ((run: (...args: never[]) => unknown) => (...args: never[]) => Promise<unknown>)
    | undefined;

  function validate(bytes: ArrayBufferView | ArrayBuffer): boolean;
  function compile(bytes: ArrayBufferView | ArrayBuffer): Promise<Module>;
  function instantiate(module: Module, imports?: Imports): Promise<Instance>;
}

// The address of the module itself, which every runtime gives.
interface ImportMeta {
  url: string;
}
