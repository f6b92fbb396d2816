// A host that is given everything bad, twice, each time by a kernel of its own, says what the system shows of it after each time, and then
// has nothing more to do: it must end by itself.
import { badCases } from "../bad/index.ts";
import { judge } from "../bad/case.ts";
import { layGround } from "../ground.ts";
import { type Holdings, holdings, settledHoldings } from "../host.ts";

const faults: string[] = [];
const found: Holdings[] = [];
const before = holdings();
for (let round = 0; round < 2; round++) {
  {
    await using ground = await layGround();
    for (const bad of Object.values(badCases).flat()) {
      const fault = await judge(bad, ground);
      if (fault !== undefined) faults.push(`${bad.title}: ${fault}`);
    }
  }
  // What the runtime itself opens at first use is there after the first round.
  found.push(await settledHoldings(found[0] ?? before));
}
console.log(JSON.stringify({ faults, found }));
