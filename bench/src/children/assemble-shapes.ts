/**
 * Prints every guest that never returns and is ended by time, in binary, as JSON. The assemblers leave twenty megabytes of heap in the
 * process that has them.
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import { assembleShape, shapes } from "../../../packages/wasm/test/meter/shapes.ts";

export interface AssembledShape {
  readonly name: string;
  readonly base64: string;
}

const all: AssembledShape[] = [];
for (const shape of shapes) {
  if (shape.stack || shape.memory) continue;
  const bytes = await assembleShape(shape);
  all.push({ name: shape.name, base64: Buffer.from(bytes).toString("base64") });
}
process.stdout.write(JSON.stringify(all));
