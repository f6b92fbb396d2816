// A host that is given everything bad, at least twice, each time by a kernel of its own, says what the system shows of it after each time, and
// then has nothing more to do: it must end by itself.
import { badCases } from "../bad/index.ts";
import { judge } from "../bad/case.ts";
import { layGround } from "../ground.ts";
import { type Holdings, holdings, settledHoldings } from "../host.ts";

const faults: string[] = [];
const found: Holdings[] = [];
const before = holdings();

/** Runtimes start threads of their own when they are busy, one more now and then. What leaks grows every time. */
const MOST_ROUNDS = 4;

function grew(): boolean {
  const [one, other] = found.slice(-2);
  return one === undefined || other === undefined || other.threads > one.threads;
}

for (let round = 0; round < MOST_ROUNDS && grew(); round++) {
  {
    await using ground = await layGround();
    for (const bad of Object.values(badCases).flat()) {
      const fault = await judge(bad, ground);
      if (fault !== undefined) faults.push(`${bad.title}: ${fault}`);
    }
  }
  // What the runtime itself opens at first use is there after the first round.
  found.push(await settledHoldings(found.at(-1) ?? before));
}
console.log(JSON.stringify({ faults, found }));
