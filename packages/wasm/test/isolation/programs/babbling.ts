// A guest's thread that answers what is no answer, when it is called a second time.
import type { ThreadEnd } from "@keelson/core";
import { Tell, writeKind } from "../../../src/isolation/messages.ts";
import { hearThree } from "./hears-three.ts";

const end = (globalThis as unknown as Record<symbol, ThreadEnd>)[Symbol.for("keelson.end")];
await hearThree(() => end?.post(writeKind(Tell.answer, 0)));
