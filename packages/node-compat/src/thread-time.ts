interface CpuTime {
  /** Microseconds. */
  readonly user: number;
  readonly system: number;
}

// The global one: on Node an import of node:process opens standard input for events, after which a child that reads it does not wait any more.
const { process } = globalThis as unknown as {
  readonly process: { cpuUsage(): CpuTime; threadCpuUsage(): CpuTime };
};

/** A reading of {@link Clock.ran}, 1 to 2 µs; undefined where the system has none. */
export function threadTime(ofProcess: boolean): (() => number) | undefined {
  const ran = (): number => {
    // Linux brings a thread's account up to date when it is asked for the process's; else only every few milliseconds.
    const all = process.cpuUsage();
    const { user, system } = ofProcess ? all : process.threadCpuUsage();
    return (user + system) / 1000;
  };
  try {
    return ran() >= 0 ? ran : undefined;
  } catch {
    return undefined;
  }
}
