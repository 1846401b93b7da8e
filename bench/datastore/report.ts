/** The figures as tables, in Markdown that reads well in a terminal too. */
import { goals } from './goals.ts';
import { judge, medianOf, ratioOf } from './summary.ts';
import type { Sample, Verdict } from './summary.ts';

export interface Report {
  readonly samples: readonly Sample[];
  /** The first is held against the others. */
  readonly servers: readonly string[];
}

const dash = '–';
const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(0);
const whole = (value: number) => value.toFixed(0);
const fine = (value: number) => value.toFixed(value < 10 ? 2 : 1);

/** Columns as wide as their widest cell; all but the first few are numbers, so they end at the right. */
export function table(header: readonly string[], rows: readonly (readonly string[])[], textColumns = 1): string {
  const widths = header.map((title, column) =>
    Math.max(3, title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) => {
    const padded = cells.map((cell, column) =>
      column < textColumns ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
    return `| ${padded.join(' | ')} |`;
  };
  const rule = widths.map((width, column) => (column < textColumns ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(header), line(rule), ...rows.map(line)].join('\n');
}

/** Each measure with each number of clients, in the order they were taken. */
function steps({ samples }: Report, isWanted: (sample: Sample) => boolean): readonly Sample[] {
  const seen = new Map<string, Sample>();
  for (const sample of samples.filter(isWanted)) {
    const key = `${sample.measure} ${sample.clients}`;
    if (!seen.has(key)) seen.set(key, sample);
  }
  return [...seen.values()];
}

function cells(report: Report, { measure, clients }: Sample, figure: string, format = fine): readonly string[] {
  return report.servers.map((server) => {
    const value = medianOf(report.samples, { server, measure, clients, figure });
    return value === undefined ? dash : format(value);
  });
}

function speed(report: Report): string {
  const [own = '', ...others] = report.servers;
  const rows = steps(report, ({ figures }) => 'rate' in figures).map((step) => {
    const { measure, clients } = step;
    const asked = { server: own, measure, clients, figure: 'rate' };
    const ratios = others.map((other) => {
      const ratio = ratioOf(report.samples, asked, other);
      return ratio === undefined ? dash : fine(ratio);
    });
    const p50 = cells(report, step, 'p50Ms');
    const p99 = cells(report, step, 'p99Ms');
    const latencies = p50.map((value, server) => `${value} / ${p99[server] ?? dash}`);
    const cpu = cells(report, step, 'cpuMicros', whole).join(' / ');
    return [measure, String(clients), ...cells(report, step, 'rate', whole), ...ratios, ...latencies, cpu];
  });
  const header = [
    'measure',
    'clients',
    ...report.servers.map((server) => `${server}/s`),
    ...others.map((other) => `${own} : ${other}`),
    ...report.servers.map((server) => `${server} p50 / p99 ms`),
    `CPU µs each: ${report.servers.join(' / ')}`,
  ];
  return table(header, rows);
}

function watchTail(report: Report): string {
  const rows = steps(report, ({ measure }) => measure === 'watch').flatMap((step) => [
    ['p50', ...cells(report, step, 'afterAnswerP50Ms')],
    ['p99', ...cells(report, step, 'afterAnswerP99Ms')],
  ]);
  return table(['event after the answer, ms', ...report.servers], rows);
}

/** Some measures are taken of more servers than were asked for. */
function withMeasured(report: Report, measure: string): Report {
  const names = report.samples.filter((sample) => sample.measure === measure).map(({ server }) => server);
  return { ...report, servers: [...new Set([...report.servers, ...names])] };
}

function memory(only: Report): string {
  const report = withMeasured(only, 'memory');
  const lines = [
    ['RSS with 10,000 objects, after 20,000 gets', 'rssLoadedBytes'],
    ['of it anonymous', 'anonymousLoadedBytes'],
    ['RSS after 40,000 updates more', 'rssUpdatedBytes'],
    ['of it anonymous', 'anonymousUpdatedBytes'],
    ['peak RSS', 'peakBytes'],
    ['files on disk', 'filesBytes'],
  ] as const;
  const rows = steps(report, ({ measure }) => measure === 'memory').flatMap((step) =>
    lines.map(([title, figure]) => [title, ...cells(report, step, figure, mib)]),
  );
  return table(['MiB', ...report.servers], rows);
}

function start(only: Report): string {
  const report = withMeasured(only, 'start');
  const rows = steps(report, ({ measure }) => measure === 'start').flatMap((step) => [
    ['ms from exec to the first answer', ...cells(report, step, 'startMs', whole)],
    ['RSS then, MiB', ...cells(report, step, 'rssBytes', mib)],
  ]);
  return table(['100,000 keys', ...report.servers], rows);
}

const figureNames: Readonly<Record<string, string>> = {
  rate: 'rate',
  p50Ms: 'p50, ms',
  p99Ms: 'p99, ms',
  afterAnswerP99Ms: 'p99 after the answer, ms',
  cpuMicros: 'CPU for each',
  rssLoadedBytes: 'RSS loaded, MiB',
  rssUpdatedBytes: 'RSS after updates, MiB',
  startMs: 'first answer, ms',
};

function verdictRow({ server, goal, measure, clients, value, isMet }: Verdict): readonly string[] {
  const format = goal.figure.endsWith('Bytes') ? mib : goal.figure === 'startMs' ? whole : fine;
  const unit = goal.against === undefined ? '' : ` × ${goal.against}`;
  const wanted = `${goal.is === 'at least' ? '≥' : '≤'} ${format(goal.limit)}${unit}`;
  const what = figureNames[goal.figure] ?? goal.figure;
  // Rounded away from the goal: what missed it by little must not look as if it had met it.
  const shown =
    format === fine ? (goal.is === 'at least' ? Math.floor(value * 100) : Math.ceil(value * 100)) / 100 : value;
  return [server, measure, what, isMet ? 'met' : '**missed**', wanted, `${format(shown)}${unit}`, String(clients)];
}

export function verdicts({ samples, servers }: Report): readonly Verdict[] {
  const own = servers[0] ?? '';
  const names = samples.map(({ server }) => server).filter((name) => name.startsWith('kagent'));
  return [...new Set([own, ...names])].flatMap((server) => goals.flatMap((goal) => judge(samples, goal, server)));
}

export function tables(report: Report): string {
  const judged = verdicts(report);
  const met = judged.filter(({ isMet }) => isMet).length;
  const has = (name: string): boolean => report.samples.some(({ measure }) => measure === name);
  return [
    '## Speed',
    speed(report),
    ...(has('watch') ? [watchTail(report)] : []),
    ...(has('memory') ? ['## Memory and files', memory(report)] : []),
    ...(has('start') ? ['## Start', start(report)] : []),
    `## Goals: ${met} of ${judged.length} met`,
    table(['server', 'measure', 'figure', 'goal is', 'goal', 'measured', 'clients'], judged.map(verdictRow), 4),
  ].join('\n\n');
}
