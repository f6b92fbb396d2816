import { describe, expect, test } from "vitest";
import {
  boundaryEventOf,
  boundaryFaultOf,
  boundaryTopic,
  createKernel,
  KeelsonError,
  nativeModule,
  processModule,
  type Envelope,
} from "../../src/index.ts";
import {
  createFakeProcesses,
  createTestPlatform,
  settle,
  type FakeProcess,
} from "../../src/testing/index.ts";

const EVENT = {
  event_id: "1",
  source: "module",
  timestamp_ms: 5,
  module: "m",
  event_type: "ready",
  payload: 7,
};

function envelope(topic: string, source: string, data: unknown): Envelope {
  return { id: "1", seq: 1, topic, source, correlationId: undefined, timestamp: 1, data } as Envelope;
}

describe("what is heard on boundary topics", () => {
  test("a child's events and its bad lines are read from the bus with their types", async () => {
    const children: FakeProcess[] = [];
    const processes = createFakeProcesses((child) => {
      children.push(child);
      child.say(EVENT);
    });
    await using kernel = createKernel({ platform: createTestPlatform({ processes }) });
    const heard: (string | number | undefined)[] = [];
    kernel.bus.on("boundary.**", (said) => {
      const event = boundaryEventOf(said)?.event;
      heard.push(event?.event_type, event?.kind === "module" ? Number(event.payload) : undefined);
      heard.push(boundaryFaultOf(said)?.code);
    });
    await kernel.register(processModule({ id: "a.b", command: "child" }));
    await kernel.start("a.b");
    children[0]?.say({ ...EVENT, event_type: "error", payload: 8 });
    children[0]?.say("{ no json\n");
    await settle();
    expect(heard).toEqual([
      "ready",
      7,
      undefined,
      "error",
      8,
      undefined,
      undefined,
      undefined,
      "INVALID_JSON",
    ]);
  });

  test("what another module publishes there is no event of the child's", async () => {
    await using kernel = createKernel({ platform: createTestPlatform() });
    const heard: unknown[] = [];
    kernel.bus.on("boundary.**", (said) => heard.push(boundaryEventOf(said), boundaryFaultOf(said)));
    await kernel.register(
      nativeModule({
        id: "liar",
        start: ({ bus }) => {
          bus.publish(boundaryTopic("child", "ready"), EVENT);
          bus.publish(boundaryTopic("child", "error"), { error: { code: "IO", message: "no" } });
        },
      }),
    );
    await kernel.start("liar");
    expect(heard).toEqual([undefined, undefined, undefined, undefined]);
  });

  test.each([
    ["another topic", envelope("boundary.m.other", "m", EVENT)],
    ["no event", envelope("boundary.m.ready", "m", { event_id: "1" })],
    ["no object", envelope("boundary.m.ready", "m", null)],
    ["an error that is none", envelope("boundary.m.error", "m", { error: "text" })],
    ["no envelope", undefined as never],
  ])("%s is neither event nor fault", (_what, said) => {
    expect(boundaryEventOf(said)).toBeUndefined();
    expect(boundaryFaultOf(said)).toBeUndefined();
  });

  test("a fault keeps code and details", () => {
    const error = new KeelsonError("LINE_TOO_LONG", "too long", { details: { start: "{" } }).toJSON();
    const fault = boundaryFaultOf(envelope("boundary.m.error", "m", { error }));
    expect(fault).toMatchObject({ code: "LINE_TOO_LONG", details: { start: "{" } });
  });
});
