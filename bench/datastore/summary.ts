/** Medians over the rounds, ratios between servers, and which goals are met. */

/** Named numbers of one measurement, such as `rate` and `p99Ms`. */
export type Figures = Readonly<Record<string, number>>;

export interface Sample {
  readonly round: number;
  readonly server: string;
  readonly measure: string;
  readonly clients: number;
  readonly figures: Figures;
}

/** The middle one; of an even number the mean of both in the middle. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
  return (lower + upper) / 2;
}

export interface Asked {
  readonly server: string;
  readonly measure: string;
  readonly clients: number;
  readonly figure: string;
}

/** The median of what was measured; undefined where it was not, such as streams of kine. */
export function medianOf(samples: readonly Sample[], asked: Asked): number | undefined {
  const values = samples
    .filter(
      ({ server, measure, clients }) =>
        server === asked.server && measure === asked.measure && clients === asked.clients,
    )
    .flatMap(({ figures }) => figures[asked.figure] ?? []);
  return values.length === 0 ? undefined : median(values);
}

/** How many times as much as `other` has. */
export function ratioOf(samples: readonly Sample[], asked: Asked, other: string): number | undefined {
  const own = medianOf(samples, asked);
  const theirs = medianOf(samples, { ...asked, server: other });
  return own === undefined || theirs === undefined || theirs === 0 ? undefined : own / theirs;
}

export interface Goal {
  readonly measures: readonly string[];
  readonly clients: readonly number[];
  readonly figure: string;
  /** The limit is a ratio to this server's figure; absent: the figure itself. */
  readonly against?: string;
  readonly is: 'at least' | 'at most';
  readonly limit: number;
}

export interface Verdict extends Asked {
  readonly goal: Goal;
  readonly value: number;
  readonly isMet: boolean;
}

/** One verdict for each measure and number of clients that the samples know. */
export function judge(samples: readonly Sample[], goal: Goal, server: string): readonly Verdict[] {
  return goal.measures.flatMap((measure) =>
    goal.clients.flatMap((clients) => {
      const asked = { server, measure, clients, figure: goal.figure };
      const value = goal.against === undefined ? medianOf(samples, asked) : ratioOf(samples, asked, goal.against);
      if (value === undefined) return [];
      const isMet = goal.is === 'at least' ? value >= goal.limit : value <= goal.limit;
      return [{ ...asked, goal, value, isMet }];
    }),
  );
}
