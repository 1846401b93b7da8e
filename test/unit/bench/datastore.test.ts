import { describe, expect, test } from 'vitest';
import { table } from '../../../bench/datastore/report.ts';
import { judge, median, medianOf, ratioOf } from '../../../bench/datastore/summary.ts';
import type { Figures, Goal, Sample } from '../../../bench/datastore/summary.ts';

const sample = (server: string, round: number, figures: Figures, clients = 50): Sample => ({
  server,
  round,
  figures,
  clients,
  measure: 'update',
});
const asked = { server: 'kagent', measure: 'update', clients: 50, figure: 'rate' };

describe('medians', () => {
  test('the middle one of an odd number counts, in whatever order they came', () => {
    expect(median([30, 10, 20])).toBe(20);
  });

  test('of an even number it is the mean of the two in the middle', () => {
    expect(median([40, 10, 20, 30])).toBe(25);
  });

  test('one server, measure and number of clients is taken alone', () => {
    const samples = [
      sample('kagent', 1, { rate: 10 }),
      sample('kagent', 2, { rate: 30 }),
      sample('kagent', 3, { rate: 20 }),
      sample('kagent', 1, { rate: 1000 }, 200),
      sample('etcd', 1, { rate: 5 }),
    ];
    expect(medianOf(samples, asked)).toBe(20);
  });

  test('what was not measured has none, and no ratio', () => {
    const samples = [sample('kagent', 1, { rate: 10 }), sample('kine', 1, { p99Ms: 3 })];
    expect(medianOf(samples, { ...asked, server: 'kine' })).toBeUndefined();
    expect(ratioOf(samples, asked, 'kine')).toBeUndefined();
  });
});

describe('goals', () => {
  const samples = [
    sample('kagent', 1, { rate: 170, p99Ms: 11 }),
    sample('etcd', 1, { rate: 100, p99Ms: 10 }),
    sample('kagent', 1, { rate: 160 }, 200),
    sample('etcd', 1, { rate: 100 }, 200),
  ];
  const goal: Goal = {
    measures: ['update'],
    clients: [10, 50, 200],
    figure: 'rate',
    against: 'etcd',
    is: 'at least',
    limit: 1.7,
  };

  test('each number of clients that was measured is judged alone', () => {
    const verdicts = judge(samples, goal, 'kagent').map(({ clients, value, isMet }) => ({ clients, value, isMet }));
    expect(verdicts).toEqual([
      { clients: 50, value: 1.7, isMet: true },
      { clients: 200, value: 1.6, isMet: false },
    ]);
  });

  test('a latency may be at most so much of the other', () => {
    const [verdict] = judge(samples, { ...goal, figure: 'p99Ms', is: 'at most', limit: 1 }, 'kagent');
    expect(verdict).toMatchObject({ value: 1.1, isMet: false });
  });

  test('a goal without another server is about the figure itself', () => {
    const { against: _, ...alone } = goal;
    const [verdict] = judge(samples, { ...alone, figure: 'p99Ms', is: 'at most', limit: 11 }, 'kagent');
    expect(verdict).toMatchObject({ value: 11, isMet: true });
  });
});

test('a table has columns of one width, its numbers at the right', () => {
  expect(
    table(
      ['measure', 'rate'],
      [
        ['get', '9'],
        ['update', '12345'],
      ],
    ),
  ).toBe(
    [
      '| measure |  rate |', //
      '| ------- | ----: |',
      '| get     |     9 |',
      '| update  | 12345 |',
    ].join('\n'),
  );
});
