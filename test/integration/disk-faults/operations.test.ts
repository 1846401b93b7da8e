/**
 * Every call that kagent makes to the disk fails once, in each way in which disks fail: nothing is half written under its final
 * name, nothing wrong is taken for right, the file is named, and on a whole disk it works again.
 * All places instead of some: `KAGENT_DISK_FAULTS=all`; what that found last stands in docs/disk-faults.md.
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

const isLong = process.env['KAGENT_DISK_FAULTS'] === 'all';

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
    places: isLong ? null : 1,
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
  { timeout: isLong ? 7_200_000 : 600_000 },
  async () => {
    const reports = (await Promise.all([runOperations(0), runOperations(1)])).flat();
    process.stdout.write(`${operationTable(reports)}\n`);
    expect(reports.flatMap(({ name, problems }) => problems.map((problem) => `${name}: ${problem}`))).toEqual([]);
    const unrefused = reports.filter(({ faults, refused, done }) => refused === 0 || refused + done !== faults);
    expect(unrefused).toEqual([]);
  },
);
