/** What came of it, for people: as docs/disk-faults.md has it. */
import type { OperationReport } from './operations-child.ts';

export function operationTable(reports: readonly OperationReport[]): string {
  const rows = reports.map(({ name, calls, faults, refused, done }) => [name, calls, faults, refused, done]);
  const sum = (column: (report: OperationReport) => number) => reports.reduce((total, one) => total + column(one), 0);
  const total = [
    'all',
    sum(({ calls }) => calls),
    sum(({ faults }) => faults),
    sum(({ refused }) => refused),
    sum(({ done }) => done),
  ];
  const head = ['Operation', 'calls', 'made to fail', 'refused, naming the file', 'done all the same'];
  return [head, head.map((_, at) => (at === 0 ? '---' : '--:')), ...rows, total]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
}
