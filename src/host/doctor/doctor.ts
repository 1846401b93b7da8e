/**
 * @module
 * Checks a box, and the path to its server, for what would keep a node from running well; says what it is, why it
 * matters and what to do, and does it where that is safe.
 * Knows: the checks (checks/), the order of checking, repairing and checking again. Leaves to others: what a start cannot
 * do without (host/, which a start asks by itself), undoing (host/remove, by the undo log).
 */
import { existsSync, rmdirSync } from 'node:fs';
import { messageOf } from '../../shared/errors.ts';
import type { UndoLog } from '../undo-log/undo-log.ts';
import type { ExaminedHost, Check, Finding } from './check.ts';
import { hostDoctorChecks } from './checks/checks.ts';
import { serverChecks } from './checks/server.ts';
import { diagnose, merged } from './diagnosis.ts';
import type { Diagnosis, Repair } from './diagnosis.ts';
import { createRepairTools } from './repair-tools.ts';
import type { ServerPath } from './server-path.ts';

/** Looks with every check that concerns this box. Without root nothing else can be said. */
export async function examine(host: ExaminedHost): Promise<Diagnosis> {
  const wasThere = existsSync(host.needs.dataDir);
  try {
    const [root, ...others] = checksFor(host);
    const first = await diagnose(root === undefined ? [] : [root], host);
    return first.findings.length > 0 ? first : merged([first, await diagnose(others, host)]);
  } finally {
    if (!wasThere) removeIfEmpty(host.needs.dataDir); // a check leaves nothing behind
  }
}

/** What a start tells of: it takes a few milliseconds. */
export async function quickChecks(host: ExaminedHost): Promise<readonly Finding[]> {
  const cheap = checksFor(host).filter((check) => check.isCheap === true);
  // A check that fails at some odd file tells nothing; it does not end a start.
  const looks = cheap.map((check) =>
    diagnose([check], host).catch((): Diagnosis => ({ findings: [], fine: [], notLooked: [] })),
  );
  return merged(await Promise.all(looks)).findings.filter(({ severity }) => severity === 'warning');
}

/** Does what can be done about faults and warnings; notes are left to people. */
export async function repair(host: ExaminedHost, undoLog: Pick<UndoLog, 'record'>): Promise<readonly Repair[]> {
  const repairTools = createRepairTools({ root: host.root, undoLog, tools: host.tools });
  const { findings } = await examine(host);
  const done: Repair[] = [];
  for (const check of checksFor(host)) {
    const isWanted = findings.some((one) => one.check === check.name && one.severity !== 'note' && one.canFix);
    if (!isWanted || check.repair === undefined) continue;
    try {
      for (const what of await check.repair(host, repairTools)) done.push({ check: check.name, what });
    } catch (error) {
      done.push({ check: check.name, what: `not done: ${messageOf(error)}` });
    }
  }
  return done;
}

function checksFor({ needs }: ExaminedHost): readonly Check[] {
  return hostDoctorChecks.filter((check) => check.forNodes !== true || needs.flannelBackend !== undefined);
}

function removeIfEmpty(dir: string): void {
  try {
    rmdirSync(dir);
  } catch {
    // it is not empty, or was never made
  }
}

/** What the walk to a server has shown. */
export async function examinePath(path: ServerPath): Promise<Diagnosis> {
  return await diagnose(serverChecks, path);
}

/** Every check there is, in the order of their groups. */
export const allChecks: readonly Check<never>[] = [...hostDoctorChecks, ...serverChecks];

export { groups, type ExaminedHost, type Check, type Finding, type Severity } from './check.ts';
export { diagnose, merged, type Diagnosis, type Repair } from './diagnosis.ts';
export { examinedHost, type HostPlan, type Running } from './examined-host.ts';
export type { Direction, Met, ServerPath } from './server-path.ts';
export { createTools, type Tools } from './tools.ts';
export { diagnosisJson, diagnosisText, whatToDo } from './text.ts';
export { FixFailedError } from './errors.ts';
export { cisHost, cisItems, cisText, examineCis, type CisHost, type CisItem, type CisResult } from './cis/cis.ts';
