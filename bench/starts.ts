/** What the benches of starts measure, and how they show it. */
export interface TimedComponent {
  readonly name: string;
  readonly startedAtMs?: number | undefined;
  readonly readyAtMs?: number | undefined;
}
export interface Start<Step extends string> {
  /** Milliseconds from the start of the process. */
  readonly times: Readonly<Record<Step, number>>;
  readonly timeline: readonly TimedComponent[];
}

/** By the kind of start, each in the order in which it was made. */
export type Starts<Step extends string> = Readonly<Record<string, readonly Start<Step>[]>>;

/** A row a kind of start: the median of each step, and every figure behind it. */
export function startRows<Step extends string>(starts: Starts<Step>, steps: readonly Step[]): string {
  const rows = Object.entries(starts).map(([name, runs]) => {
    const cells = steps.map((step) => {
      const all = runs.map((run) => run.times[step]);
      return `${seconds(median(all))} (${all.map(seconds).join(', ')})`;
    });
    return `| ${name} | ${cells.join(' | ')} |`;
  });
  return rows.join('\n');
}

/** A row a component: from when to when it started, and how long that took. */
export function timelineRows(start: Start<string> | undefined): string {
  const rows = (start?.timeline ?? [])
    .filter((component) => component.startedAtMs !== undefined)
    .toSorted((a, b) => (a.startedAtMs ?? 0) - (b.startedAtMs ?? 0))
    .map(
      ({ name, startedAtMs = 0, readyAtMs = 0 }) =>
        `| ${name} | ${seconds(startedAtMs)} | ${seconds(readyAtMs)} | ${seconds(readyAtMs - startedAtMs)} |`,
    );
  return rows.join('\n');
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(2);
}
