/** The steps side by side, as a table in Markdown. */
import type { Sample } from '../samples.ts';
import { verbs } from './latency.ts';
import type { Latency, Verb } from './latency.ts';
import type { HeartbeatResult } from './heartbeats.ts';

export interface Latencies {
  readonly reads: Latency;
  readonly writes: Latency;
}
export interface LatenciesByVerb extends Latencies {
  readonly verbs: readonly (Latency & { readonly verb: Verb })[];
}

/** What everybody did in a stretch of time. */
export interface Watched {
  readonly windowSeconds: number;
  readonly heartbeats: HeartbeatResult;
  /** By kube-apiserver's own histogram. */
  readonly apiserver: LatenciesByVerb;
  /** As kube-apiserver waits for it. */
  readonly datastore: Latencies;
  readonly server: readonly Sample[];
  readonly hollow: readonly Sample[];
  /** Of whole hosts: also what came and went, and pods. The load runs on the hollow nodes' host. */
  readonly cpuSecondsPerMinute: { readonly server: number; readonly hollow: number; readonly machine: number };
}

/** Of `kagent datastore status -o json`, what is shown. */
export interface DatastoreFacts {
  readonly keys: number;
  readonly versions: number;
  readonly watches: number;
  readonly usedSizeBytes: number;
}

export interface Step {
  readonly nodes: number;
  readonly pods: number;
  readonly growth: Watched & {
    readonly joinSeconds: number;
    /** From the first join to the last node Ready. */
    readonly nodesReadySeconds: number;
    /** From the scaling to the last pod Ready. */
    readonly podsReadySeconds: number;
  };
  readonly settled: Watched & {
    /** By the load's own clock. */
    readonly client: LatenciesByVerb & { readonly watched: Latency; readonly refusals: readonly string[] };
  };
  readonly datastore: DatastoreFacts & { readonly onDiskBytes: number };
}

const goalMs = 200;

const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(0);
const times = ({ requests, p50Ms, p99Ms }: Latency) =>
  requests === 0 ? '-' : `${Math.round(requests)}: ${p50Ms.toFixed(1)} / ${p99Ms.toFixed(1)}`;

/** @param machine what it was measured on */
export function report(steps: readonly Step[], machine: string): string {
  const row = (name: string, cell: (step: Step) => string) => `| ${name} | ${steps.map(cell).join(' | ')} |`;
  const verbRows = (title: string, of: (step: Step) => LatenciesByVerb) =>
    verbs.map((verb) =>
      row(`${title}, ${verb}`, (step) =>
        of(step)
          .verbs.filter((one) => one.verb === verb)
          .map(times)
          .join(),
      ),
    );
  const bothRows = (title: string, of: (step: Step) => Latencies) => [
    row(`${title}, reads`, (step) => times(of(step).reads)),
    row(`${title}, writes`, (step) => times(of(step).writes)),
  ];
  const cpu = ({ cpuSecondsPerMinute: { server, hollow, machine } }: Watched) =>
    [server, hollow, machine - server - hollow].map((value) => value.toFixed(0)).join(' / ');
  const head = [`| | ${steps.map(({ nodes, pods }) => `${nodes} nodes, ${pods} pods`).join(' | ')} |`];
  head.push(`| --- | ${steps.map(() => '--:').join(' | ')} |`);
  const rows = [
    row('nodes joined / Ready after, s', ({ growth }) =>
      [growth.joinSeconds, growth.nodesReadySeconds].map((value) => value.toFixed(1)).join(' / '),
    ),
    row('pods Ready after, s', ({ growth }) => growth.podsReadySeconds.toFixed(1)),
    ...bothRows('growing: kube-apiserver', ({ growth }) => growth.apiserver),
    ...bothRows('growing: datastore', ({ growth }) => growth.datastore),
    ...processRows('growing: ', steps, ({ growth }) => growth.server.filter(({ cpuSeconds }) => cpuSeconds >= 1)),
    row('growing: CPU of server / hollow nodes / the rest of the machine', ({ growth }) => cpu(growth)),
    row('growing: heartbeats heard / missed; nodes that connected anew', ({ growth }) => heartbeats(growth)),
    row('heartbeats heard / missed; nodes that connected anew', ({ settled }) => heartbeats(settled)),
    ...verbRows('kube-apiserver', ({ settled }) => settled.apiserver),
    ...bothRows('**kube-apiserver**', ({ settled }) => settled.apiserver),
    ...verbRows('client', ({ settled }) => settled.client),
    ...bothRows('**client**', ({ settled }) => settled.client),
    row('client, a watch tells of a POST', ({ settled }) => times(settled.client.watched)),
    row('client, refused', ({ settled }) => String(settled.client.refusals.length)),
    ...bothRows('datastore', ({ settled }) => settled.datastore),
    ...processRows('', steps, ({ settled }) => settled.server),
    row('**all of the server**', ({ settled }) => usage(settled.server)),
    ...processRows('', steps, ({ settled }) => settled.hollow),
    row('CPU of server / hollow nodes and load / the rest of the machine', ({ settled }) => cpu(settled)),
    row('datastore: keys / versions', ({ datastore }) => `${datastore.keys} / ${datastore.versions}`),
    row('datastore: watches', ({ datastore }) => String(datastore.watches)),
    row(
      'datastore: used / on disk, MiB',
      ({ datastore }) => `${mib(datastore.usedSizeBytes)} / ${mib(datastore.onDiskBytes)}`,
    ),
  ];
  return `${machine}. Server, hollow nodes and load share it.
Latencies: how many, p50 / p99 in ms. Processes: CPU-s a minute; PSS / anonymous in MiB; KiB written a minute.

${[...head, ...rows].join('\n')}

${steps.map(verdict).join('\n')}
`;
}

function heartbeats({ heartbeats: { heard, missed, reconnected } }: Watched): string {
  return `${heard} / ${missed}; ${reconnected}`;
}

function processRows(title: string, steps: readonly Step[], of: (step: Step) => readonly Sample[]): readonly string[] {
  const names = [...new Set(steps.flatMap(of).map(({ name }) => name))];
  return names.map((name) => {
    const cells = steps.map((step) => usage(of(step).filter((sample) => sample.name === name)));
    return `| ${title}${name} | ${cells.join(' | ')} |`;
  });
}

function usage(samples: readonly Sample[]): string {
  if (samples.length === 0) return '-';
  const sum = (value: (sample: Sample) => number) => samples.reduce((total, sample) => total + value(sample), 0);
  const cpu = sum(({ cpuSeconds }) => cpuSeconds).toFixed(1);
  const pss = mib(sum(({ pssBytes }) => pssBytes));
  const anonymous = mib(sum(({ anonymousBytes }) => anonymousBytes));
  return `${cpu}; ${pss} / ${anonymous}; ${(sum(({ writtenBytes }) => writtenBytes) / 1024).toFixed(0)}`;
}

function verdict({ nodes, pods, settled }: Step): string {
  const all = { 'kube-apiserver': settled.apiserver, client: settled.client };
  const parts = Object.entries(all).flatMap(([who, { reads, writes }]) =>
    Object.entries({ reads, writes }).map(
      ([what, { p99Ms }]) => `${what} by ${who} ${p99Ms.toFixed(0)} ms ${p99Ms < goalMs ? '✓' : '✗'}`,
    ),
  );
  return `p99 < ${goalMs} ms with ${nodes} nodes and ${pods} pods: ${parts.join(', ')}`;
}
