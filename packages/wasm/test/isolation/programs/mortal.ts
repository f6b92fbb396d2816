// A guest's thread that dies, of an error that nobody catches, when it is called a second time.
import { hearThree } from "./hears-three.ts";

await hearThree(() => {
  throw new Error("this thread dies");
});
