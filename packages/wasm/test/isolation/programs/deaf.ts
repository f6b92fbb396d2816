// A guest's thread that does not hear a second call.
import { hearThree } from "./hears-three.ts";

await hearThree(() => undefined);
