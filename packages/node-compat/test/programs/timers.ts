// A program with a timer in the background, which never comes, and one that keeps it alive until it has come.
import { adapter } from "../adapter.ts";

const { clock } = await adapter();
clock.after(3_600_000, () => console.log("never"), true);
clock.after(2 ** 40, () => console.log("never"), true);
clock.after(50, () => console.log("came"));
