import { z } from "zod";
import type { Manifest } from "../contract/manifest.ts";
import { entryFault } from "./entry.ts";
import { readSize } from "./size.ts";
import { isModuleId, isRange, isVersion, MODULE_ID_RULE } from "./version.ts";

// Kept inside this folder: what others see is the interface Manifest. Every check has a text of its own, since zod's are for
// programmers. The text follows the key: "version: must be …".

const string = z.string("must be a text");
const text = (max: number) =>
  string
    .min(1, "must not be empty")
    .max(max, `must not be longer than ${max} characters`)
    // eslint-disable-next-line no-control-regex -- finding it is the point
    .regex(/^[^\0]*$/, "must not hold a NUL character");
const time = z.number("must be a number of milliseconds");
const milliseconds = time.positive("must be more than 0");
const pause = time.nonnegative("must not be negative").optional();
const WHOLE = "must be a whole number";
const whole = z.number(WHOLE).int(WHOLE).nonnegative(WHOLE);
const positive = whole.min(1, `${WHOLE}, at least 1`);
const name = (what: string) =>
  z.string(`must be ${what}`).regex(/^[a-zA-Z0-9][a-zA-Z0-9._:/-]{0,127}$/, {
    error: `must be ${what}: up to 128 letters, digits and . _ : / -, beginning with a letter or digit`,
  });

const size = z
  .union([z.string(), z.number()], `must be a size such as "64MiB", or a number of bytes`)
  .transform((input, context) => {
    const bytes = readSize(input);
    if (typeof bytes === "number") return bytes;
    context.addIssue({ code: "custom", message: bytes.message, params: { hint: bytes.hint } });
    return z.NEVER;
  });

const object = <Shape extends z.core.$ZodLooseShape>(shape: Shape, what = "must be an object") =>
  z.strictObject(shape, what);

/** An object with text values, each key and value checked by a function that says what is wrong. */
const texts = (what: string, fault: (key: string, value: string) => string | undefined) =>
  z.record(z.string(), string, `must be ${what}`).superRefine((entries, context) => {
    for (const [key, value] of Object.entries(entries)) {
      const message = fault(key, value);
      if (message !== undefined) context.addIssue({ code: "custom", path: [key], message });
    }
  });

/** A list in which `key` of each element must be its own. */
const distinct = <T extends z.ZodType>(element: T, what: string, key: (one: z.output<T>) => string) =>
  z
    .array(element, "must be a list")
    .max(1000, "must not hold more than 1000")
    .superRefine((list, context) => {
      const seen = new Set<string>();
      for (const [index, one] of list.entries()) {
        const id = key(one);
        if (seen.has(id))
          context.addIssue({ code: "custom", path: [index], message: `${what} ${id} comes twice` });
        seen.add(id);
      }
    });

const capability = z.preprocess(
  (input) => (typeof input === "string" ? { name: input } : input),
  object(
    {
      name: name(`the name of a capability, such as "http.fetch"`),
      scope: z
        .array(text(1024), "must be a list of texts")
        .max(1000, "must not hold more than 1000")
        .default([]),
    },
    "must be a name or an object with name and scope",
  ),
);

const network = object({
  maxConnections: whole.optional(),
  bytesPerSecond: size.optional(),
});

const limits = object({
  memory: size.refine((bytes) => bytes > 0, "must be more than 0 bytes").optional(),
  fuel: positive.optional(),
  cpuMs: milliseconds.optional(),
  timeoutMs: milliseconds.optional(),
  storage: size.optional(),
  network: network.optional(),
});

const hook = object(
  {
    type: z.enum(["filter", "action"], `must be "filter" or "action"`),
    name: name("the name of a hook"),
    method: text(256).optional(),
    priority: z.number("must be a number").optional(),
  },
  "must be an object with type and name",
);

const HTTP_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;

const route = object(
  {
    method: z.enum(HTTP_METHODS, `must be one of ${HTTP_METHODS.join(", ")}`),
    path: text(1024)
      .regex(/^\/[^\s?#\\]*$/, "must begin with / and hold no space, ?, # or backslash")
      .refine(
        (path) => !path.split("/").some((part) => part === "." || part === ".."),
        "must not hold the parts . or ..",
      ),
    handler: text(256),
  },
  "must be an object with method, path and handler",
);

const restart = object({
  policy: z.enum(["never", "on-failure", "always"], `must be "never", "on-failure" or "always"`).optional(),
  intensity: object(
    { max: whole, withinMs: milliseconds },
    "must be an object with max and withinMs",
  ).optional(),
  backoff: object({
    initialMs: pause,
    factor: z.number("must be a number").min(1, "must be at least 1").optional(),
    maxMs: pause,
    jitter: z
      .number("must be a number")
      .min(0, "must be from 0 to 1")
      .max(1, "must be from 0 to 1")
      .optional(),
  }).optional(),
  health: object({
    everyMs: milliseconds.optional(),
    timeoutMs: milliseconds.optional(),
    failures: positive.optional(),
  }).optional(),
});

const manifestSchema = object(
  {
    apiVersion: z.literal("keelson/v1", `must be "keelson/v1"`),
    id: string.refine(isModuleId, {
      error: `must be ${MODULE_ID_RULE}`,
    }),
    name: text(200).optional(),
    version: string.refine(isVersion, { error: `must be a semantic version, such as "1.2.3"` }),
    kind: string.regex(
      /^[a-z][a-z0-9-]{0,31}$/,
      `must be a kind of module, such as "native", "wasm" or "process"`,
    ),
    description: text(4096).optional(),
    entry: z
      .string("must be a path relative to the manifest")
      .superRefine((entry, context) => {
        const fault = entryFault(entry);
        if (fault !== undefined)
          context.addIssue({
            code: "custom",
            message: `${fault}: must be a path inside the plugin's folder`,
          });
      })
      .optional(),
    command: z
      .array(
        string.max(32_768).refine((part) => !part.includes("\0"), "must not hold a NUL character"),
        "must be a list: the program, then its arguments",
      )
      .min(1, "must name a program")
      .max(1000, "must not hold more than 1000")
      .refine((command) => command[0] !== "", "must name a program")
      .optional(),
    env: texts("an object of texts", (key, value) => {
      if (key === "" || /[=\0]/.test(key)) return "is no name of a variable";
      return value.includes("\0") ? "must not hold a NUL character" : undefined;
    }).optional(),
    health: z.boolean("must be true or false").optional(),
    abi: name("the name of an ABI profile").optional(),
    capabilities: distinct(capability, "the capability", (one) => one.name).default([]),
    limits: limits.default({}),
    hooks: distinct(hook, "the hook", (one) => `${one.type} ${one.name} → ${one.method ?? one.name}`).default(
      [],
    ),
    routes: distinct(route, "the route", (one) => `${one.method} ${one.path}`).default([]),
    restart: restart.optional(),
    depends: texts("an object: module id → version range", (id, range) => {
      if (!isModuleId(id)) return `is no module id: ${MODULE_ID_RULE}`;
      return isRange(range) ? undefined : `must be a range of versions, such as "^1.2.0" or "*"`;
    }).default({}),
    overlap: z.boolean("must be true or false").optional(),
    integrity: string
      // 32 bytes are 43 characters and one of padding; the last of the 43 carries four bits.
      .regex(/^sha256-[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/, "must be sha256- and the base64 of 32 bytes")
      .optional(),
    signature: text(4096).optional(),
    settings: z.record(z.string(), z.unknown(), "must be an object").optional(),
  },
  "must be a JSON object",
);

/**
 * What is checked key by key; the rules that join several keys are in kinds.ts. Answers the value with defaults and sizes filled in, or
 * zod's issues.
 */
export function checkSchema(
  value: unknown,
):
  | { readonly data: Omit<Manifest, "name"> & { readonly name?: string } }
  | { readonly issues: readonly z.core.$ZodIssue[] } {
  const result = manifestSchema.safeParse(value);
  return result.success ? { data: result.data as Manifest } : { issues: result.error.issues };
}

/** The keys that each place of a manifest knows; `[]` stands for any place in a list. */
export const knownKeys: ReadonlyMap<string, readonly string[]> = new Map<string, readonly string[]>([
  ["", Object.keys(manifestSchema.shape)],
  ["capabilities[]", ["name", "scope"]],
  ["limits", Object.keys(limits.shape)],
  ["limits.network", Object.keys(network.shape)],
  ["hooks[]", Object.keys(hook.shape)],
  ["routes[]", Object.keys(route.shape)],
  ["restart", Object.keys(restart.shape)],
  ...(["intensity", "backoff", "health"] as const).map((key): [string, readonly string[]] => [
    `restart.${key}`,
    Object.keys(restart.shape[key].unwrap().shape),
  ]),
]);
