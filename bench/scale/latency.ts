/** How long answers took: kube-apiserver's own histograms, read twice, and single times. */

/** Watches, exec and the like end when somebody wants, and so are left out. */
export const verbs = ['GET', 'LIST', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
export type Verb = (typeof verbs)[number];
export const readVerbs: readonly Verb[] = ['GET', 'LIST'];
export const writeVerbs: readonly Verb[] = ['POST', 'PUT', 'PATCH', 'DELETE'];

/** How many requests took at most so many seconds, by the upper bound; the last bound is Infinity. */
export type Histogram = ReadonlyMap<number, number>;
/** By what was asked. */
export type Histograms = ReadonlyMap<string, Histogram>;

/** What clients asked of kube-apiserver, by verb. Server-side apply is a PATCH; /metrics and the like are left out. */
export function requestHistograms(metrics: string): Histograms {
  return histograms(metrics, 'apiserver_request_duration_seconds', (labels) =>
    labelOf(labels, 'resource') === '' ? undefined : labelOf(labels, 'verb').replace('APPLY', 'PATCH'),
  );
}

/** What kube-apiserver asked of the datastore: `read`, or `write`. */
export function datastoreHistograms(metrics: string): Histograms {
  return histograms(metrics, 'etcd_request_duration_seconds', (labels) =>
    ['create', 'update', 'delete'].includes(labelOf(labels, 'operation')) ? 'write' : 'read',
  );
}

function histograms(metrics: string, name: string, keyOf: (labels: string) => string | undefined): Histograms {
  const line = new RegExp(`^${name}_bucket\\{(.*)\\} (\\d\\S*)$`);
  const sums = new Map<string, Map<number, number>>();
  for (const text of metrics.split('\n')) {
    const [, labels = '', count] = line.exec(text) ?? [];
    const key = count === undefined ? undefined : keyOf(labels);
    if (key === undefined) continue;
    const histogram = sums.get(key) ?? new Map<number, number>();
    sums.set(key, histogram);
    const le = labelOf(labels, 'le');
    const bound = le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le);
    histogram.set(bound, (histogram.get(bound) ?? 0) + Number(count));
  }
  return sums;
}

function labelOf(labels: string, name: string): string {
  return new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels)?.[1] ?? '';
}

export interface Latency {
  readonly requests: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** What came between two readings, of all these keys together. */
export function latencyBetween(before: Histograms, after: Histograms, keys: readonly string[]): Latency {
  const sums = new Map<number, number>();
  for (const key of keys) {
    for (const [bound, count] of after.get(key) ?? []) {
      const added = count - (before.get(key)?.get(bound) ?? 0);
      sums.set(bound, (sums.get(bound) ?? 0) + added);
    }
  }
  return {
    requests: sums.get(Number.POSITIVE_INFINITY) ?? 0,
    p50Ms: quantile(sums, 0.5) * 1000,
    p99Ms: quantile(sums, 0.99) * 1000,
  };
}

/** As Prometheus' histogram_quantile: straight lines within a bucket; the highest finite bound where it is beyond. */
function quantile(histogram: Histogram, share: number): number {
  const wanted = (histogram.get(Number.POSITIVE_INFINITY) ?? 0) * share;
  let lower = { bound: 0, count: 0 };
  for (const [bound, count] of [...histogram].toSorted(([a], [b]) => a - b)) {
    if (bound === Number.POSITIVE_INFINITY) break;
    if (count >= wanted) {
      const within = count === lower.count ? 0 : (wanted - lower.count) / (count - lower.count);
      return lower.bound + (bound - lower.bound) * within;
    }
    lower = { bound, count };
  }
  return lower.bound;
}

/** Of single times. */
export function latencyOfTimes(timesMs: readonly number[]): Latency {
  const sorted = timesMs.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
  return { requests: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99) };
}
