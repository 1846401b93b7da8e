/** What the datastore has to reach: the reason why it exists. */
import type { Goal } from './summary.ts';

const all = [1, 10, 50, 200];
const many = [10, 50, 200];
const mib = 2 ** 20;

const faster = (measures: readonly string[], clients: readonly number[], against: string, limit: number): Goal => ({
  measures,
  clients,
  figure: 'rate',
  against,
  is: 'at least',
  limit,
});

const most = (measure: string, clients: number, figure: string, limit: number, against?: string): Goal => ({
  measures: [measure],
  clients: [clients],
  figure,
  is: 'at most',
  limit,
  ...(against === undefined ? {} : { against }),
});

const writes = ['create', 'update', 'delete'];

export const goals: readonly Goal[] = [
  faster(writes, many, 'etcd', 1.7),
  faster(writes, many, 'kine', 5),
  faster(['create', 'update'], [1], 'etcd', 1.3),
  ...writes.map((measure) => most(measure, 50, 'p99Ms', 1, 'etcd')),
  faster(['get'], all, 'etcd', 2),
  faster(['get'], all, 'kine', 1.5),
  faster(['list', 'listns'], all, 'etcd', 2),
  faster(['list'], all, 'kine', 15),
  faster(['count'], all, 'etcd', 8),
  faster(['mixed'], all, 'etcd', 1.3),
  most('watch', 10, 'p50Ms', 1, 'etcd'),
  most('watch', 10, 'afterAnswerP99Ms', 2),
  most('progress', 1, 'p99Ms', 2),
  most('update', 50, 'cpuMicros', 0.4, 'etcd'),
  most('memory', 50, 'rssLoadedBytes', 150 * mib),
  most('memory', 50, 'rssUpdatedBytes', 250 * mib),
  most('start', 1, 'startMs', 1000),
];
