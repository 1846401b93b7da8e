/**
 * Every call that kagent makes to the disk fails once, in each way in which disks fail: nothing is half written under its final
 * name, nothing wrong is taken for right, the file is named, and on a whole disk it works again.
 * More than a few of them: `KAGENT_DISK_FAULTS=4`, so many places of each call in each way, or `all`. What that found last
 * is in docs/disk-faults.md.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DiskFaults } from '../../helpers/disk-faults/disk-faults.ts';
import { joinServer } from '../../helpers/join-server.ts';
import { temporaryDir } from '../../helpers/temporary.ts';
import type { ChildSettings, OperationReport } from './operations-child.ts';
import { operationTable } from './table.ts';

const wanted = process.env['KAGENT_DISK_FAULTS'] ?? '0';

/** @param first of two that share the work */
async function runOperations(first: 0 | 1): Promise<readonly OperationReport[]> {
  const dir = temporaryDir();
  const [disk, work] = [join(dir, 'disk'), join(dir, 'work')];
  for (const folder of [disk, work]) mkdirSync(folder);
  const faults = DiskFaults.in(disk, dir);
  const { url, tokens } = await joinServer();
  const settings: ChildSettings = {
    disk,
    work,
    control: faults.control,
    places: wanted === 'all' ? null : Number(wanted),
    server: { url, token: tokens.agentToken.reveal() },
    first,
  };
  const child = spawn(process.execPath, [join(import.meta.dirname, 'operations-child.ts'), JSON.stringify(settings)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...faults.env },
  });
  let [output, errors] = ['', ''];
  child.stdout.on('data', (text: Buffer) => (output += text.toString()));
  child.stderr.on('data', (text: Buffer) => (errors += text.toString()));
  const [exitCode] = (await once(child, 'close')) as [number | null];
  faults.close();
  if (exitCode !== 0) throw new Error(`it ended with ${exitCode}: ${errors}`);
  return output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as OperationReport);
}

test(
  'whichever call of an operation the disk fails, the file is named, nothing is half done, and on a whole disk it is done',
  { timeout: wanted === '0' ? 600_000 : 7_200_000 },
  async () => {
    const reports = (await Promise.all([runOperations(0), runOperations(1)])).flat();
    process.stdout.write(`${operationTable(reports)}\n`);
    expect(reports.flatMap(({ name, problems }) => problems.map((problem) => `${name}: ${problem}`))).toEqual([]);
    const sum = (of: 'refused' | 'done'): number => reports.reduce((total, report) => total + report[of], 0);
    expect(sum('refused')).toBeGreaterThan(30);
    expect(sum('done')).toBeGreaterThan(10);
  },
);
