/**
 * Preloaded with disk-faults.c: does each operation again and again, and each time another call of it fails in another way.
 * `operations-child.ts SETTINGS`, in JSON; prints one line of JSON for each operation.
 */
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { KagentError } from '../../../src/shared/errors.ts';
import { DiskFaults, diskCalls } from '../../helpers/disk-faults/disk-faults.ts';
import type { DiskCall, Fault, FaultKind } from '../../helpers/disk-faults/disk-faults.ts';
import { NoSpaceError } from '../../../src/datastore/store/store.ts';
import { operations } from './operations.ts';
import type { Operation } from './operations.ts';

export interface ChildSettings {
  /** Below it files fail. */
  readonly disk: string;
  /** On another disk. */
  readonly work: string;
  readonly control: string;
  /** Of each call and each way to fail so many places at most, spread over all; null: all. 0: one place of every third pair. */
  readonly places: number | null;
  readonly server: { readonly url: string; readonly token: string };
  /** Of the operations every second, beginning with this one. */
  readonly first: 0 | 1;
}

/** What became of an operation of which calls failed. */
export interface OperationReport {
  readonly name: string;
  /** Calls it makes when nothing fails. */
  readonly calls: number;
  /** How often one was made to fail. */
  readonly faults: number;
  /** It ended with a sentence that names the file; done again on a whole disk it was done. */
  readonly refused: number;
  /** It got over it. */
  readonly done: number;
  readonly problems: readonly string[];
}

const kindsOf: Readonly<Record<DiskCall, readonly FaultKind[]>> = {
  open: ['EIO', 'ENOSPC', 'EROFS'],
  read: ['EIO', 'short', 'flip', 'hang'],
  write: ['EIO', 'ENOSPC', 'EDQUOT', 'EROFS', 'short', 'hang'],
  sync: ['EIO', 'ENOSPC', 'EDQUOT', 'hang'],
  rename: ['EIO', 'ENOSPC', 'EROFS'],
  unlink: ['EIO', 'EROFS'],
  truncate: ['EIO', 'ENOSPC', 'EROFS'],
  mkdir: ['EIO', 'ENOSPC', 'EDQUOT', 'EROFS'],
};
const hangMs = 200;
const longestMs = 30_000;

const settings = JSON.parse(process.argv[2] ?? '') as ChildSettings;
const faults = DiskFaults.at(settings.control);
const places = settings.places ?? Infinity; // which JSON does not know
let nextDir = 1;
/** Whence the few that are tried are others each time. */
let turn = Math.random();
let nextPair = Math.floor(3 * turn);

for (const [index, operation] of (await operations(settings.work, settings.server)).entries()) {
  if (index % 2 === settings.first) process.stdout.write(`${JSON.stringify(await tryAll(operation))}\n`);
}
faults.close();
process.exit(0);

async function tryAll(operation: Operation): Promise<OperationReport> {
  const template = join(settings.work, `template-${(nextDir += 1)}`);
  mkdirSync(template);
  await operation.prepare(template);
  const report = { name: operation.name, calls: 0, faults: 0, refused: 0, done: 0, problems: [] as string[] };
  const counts = await countsOf(operation, template);
  for (const call of diskCalls) {
    const count = counts.get(call) ?? 0;
    report.calls += count;
    for (const kind of kindsOf[call]) {
      if (kind === 'flip' && operation.isChecked !== true) continue;
      for (const nth of placesOf(kind, count)) {
        const said = await tryOne(operation, template, { calls: [call], kind, nth, hangMs });
        if (said === 'not met') continue;
        report.faults += 1;
        if (said === 'refused' || said === 'done') report[said] += 1;
        else report.problems.push(`${kind} at ${call} ${nth} (${faults.first}): ${said}`);
      }
    }
  }
  rmSync(template, { recursive: true });
  return report;
}

/** Which of the calls fail so. */
function placesOf(kind: FaultKind, count: number): readonly number[] {
  if (places === 0) return count > 0 && nextPair++ % 3 === 0 ? spread(count, 1) : [];
  return spread(count, kind === 'hang' ? Math.min(places, 2) : places);
}

/** At most `most` numbers from 1 to `count`, spread over all; each time others. */
function spread(count: number, most: number): readonly number[] {
  if (count <= most) return Array.from({ length: count }, (_, index) => index + 1);
  turn = (turn + 0.382) % 1;
  return Array.from({ length: most }, (_, index) => 1 + Math.floor(((index + turn) * count) / most));
}

function freshDir(template: string): string {
  const dir = join(settings.disk, String((nextDir += 1)));
  cpSync(template, dir, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
  return dir;
}

/** How often each call is made when nothing fails. */
async function countsOf(operation: Operation, template: string): Promise<ReadonlyMap<DiskCall, number>> {
  const dir = freshDir(template);
  faults.arm({ calls: diskCalls, kind: 'count' });
  await operation.run(dir);
  faults.disarm();
  const counts = new Map(diskCalls.map((call) => [call, faults.seen(call)]));
  await operation.check(dir, true);
  rmSync(dir, { recursive: true });
  return counts;
}

async function tryOne(operation: Operation, template: string, fault: Fault): Promise<string> {
  const dir = freshDir(template);
  faults.arm(fault);
  const outcome = await Promise.race([
    operation.run(dir).then(
      () => 'done',
      (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
    ),
    delay(longestMs, 'it does not end', { ref: false }),
  ]);
  faults.disarm();
  const hasFired = faults.fired > 0;
  try {
    if (typeof outcome === 'string' && outcome !== 'done') return outcome;
    if (outcome instanceof Error && hasFired && !namesFile(outcome, dir) && !isFullStore(outcome, fault.kind))
      return `it does not say which file: ${outcome.message}`;
    await operation.check(dir, outcome === 'done');
    if (outcome !== 'done') {
      await operation.run(dir);
      await operation.check(dir, true);
    }
    if (!hasFired) return 'not met';
    return outcome === 'done' ? 'done' : 'refused';
  } catch (error) {
    if (fault.kind === 'flip' && isFound(error)) return 'refused';
    const said = outcome instanceof Error ? `after "${outcome.message}"` : `after ${outcome}`;
    return `${said}: ${error instanceof Error ? (error.stack ?? '').split('\n').slice(0, 4).join(' ') : String(error)}`;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** A wrong bit that was read into a page and written back with it stays: it must not be taken for sound. */
function isFound(error: unknown): boolean {
  return error instanceof KagentError && ['STORE_DAMAGED', 'STORE_LOST_WRITES'].includes(error.code);
}

/** Its clients hear of a full disk in etcd's words, which name no file of the server's. */
function isFullStore(error: Error, kind: Fault['kind']): boolean {
  return error instanceof NoSpaceError && (kind === 'ENOSPC' || kind === 'EDQUOT');
}

function namesFile({ message }: Error, dir: string): boolean {
  return message.includes(`${dir}/`) || message.includes(`${dir}'`) || message.includes(`/${basename(settings.work)}/`);
}
