import { conformance } from "../src/bindings/vitest.ts";
import { adapter } from "./adapter.ts";

conformance(adapter);
