import * as helpers from "./write/helpers.ts";
import type { Layout } from "./layout.ts";
import type { ModuleInfo } from "./read/module.ts";
import type { MeterMeta } from "./options.ts";

const FUNCTION = 0;
const TABLE = 1;

/** The exports by which a host reaches what was appended. */
export interface PrivateNames {
  readonly exports: MeterMeta["exports"];
  readonly list: readonly { readonly name: string; readonly kind: number; readonly index: number }[];
}

/** Names for the private exports, which no export of the module has. What they lead to is appended to the layout. */
export function privateNames(module: ModuleInfo, layout: Layout): PrivateNames {
  let prefix = "keelson:";
  while ([...module.exports].some((name) => name.startsWith(prefix))) prefix += "'";
  const list: { name: string; kind: number; index: number }[] = [];
  const add = (name: string, kind: number, index: number): string => {
    list.push({ name: prefix + name, kind, index });
    return prefix + name;
  };
  const read = (name: string, global: number): string =>
    add(name, FUNCTION, helpers.readGlobal(layout, global));
  const write = (name: string, global: number): string =>
    add(name, FUNCTION, helpers.writeGlobal(layout, global));
  const { fuel, depth, room } = layout;
  const exports = {
    fuel: read("fuel", fuel),
    setFuel: write("set-fuel", fuel),
    refill: add("refill", TABLE, layout.refillTable),
    ...(depth < 0 ? {} : { depth: read("depth", depth), setDepth: write("set-depth", depth) }),
    ...(room < 0 ? {} : { room: read("room", room) }),
    ...(layout.cold.length === 0
      ? {}
      : {
          keepCalled: add("keep-called", FUNCTION, helpers.keepCalled(layout, false)),
          restoreCalled: add("restore-called", FUNCTION, helpers.keepCalled(layout, true)),
        }),
    ...(module.start === undefined ? {} : { start: add("start", FUNCTION, module.start) }),
  };
  return { exports, list };
}
