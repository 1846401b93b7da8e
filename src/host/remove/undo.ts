import { rm, rmdir } from 'node:fs/promises';
import { messageOf, systemCode } from '../../shared/errors.ts';
import { readBytes, writeFileAtomicSync, isThere } from '../../shared/files/files.ts';
import { contentHash } from '../undo-log/undo-log.ts';
import type { UndoLog, Made, MadeOf, Undone } from '../undo-log/undo-log.ts';
import type { ServiceHost } from '../service/service.ts';
import type { NodeParts } from './types.ts';

export interface UndoOptions {
  readonly host: ServiceHost;
  readonly restoreSysctl: NodeParts['restoreSysctl'];
}

/** Undoes what the undo log has of these kinds; what could not be undone stays in it. */
export async function undoKinds(
  undoLog: UndoLog,
  kinds: readonly Made['kind'][],
  options: UndoOptions,
): Promise<Undone> {
  return await undoThose(undoLog, (made) => kinds.includes(made.kind), options);
}

/** The kernel's settings for the network, which rely on rules and links that go next. */
export async function undoNetworkSysctls(undoLog: UndoLog, options: UndoOptions): Promise<Undone> {
  return await undoThose(undoLog, (made) => made.kind === 'sysctl' && made.name.startsWith('net/'), options);
}

async function undoThose(undoLog: UndoLog, isWanted: (made: Made) => boolean, options: UndoOptions): Promise<Undone> {
  const wanted = undoLog.entries().filter(isWanted);
  const { left, ...undone } = await undoAll(wanted, options);
  undoLog.keepOnly(undoLog.entries().filter((made) => !wanted.includes(made) || left.includes(made)));
  return undone;
}

/** The newest first. @returns also which are `left` to be tried again */
export async function undoAll(entries: readonly Made[], options: UndoOptions) {
  const stayed: string[] = [];
  const failed: string[] = [];
  const left: Made[] = [];
  for (const made of entries.toReversed()) {
    const undone = await undo(made, options).catch((error: unknown) => ({ failed: [messageOf(error)] }) as Undone);
    stayed.push(...(undone.stayed ?? []));
    failed.push(...(undone.failed ?? []));
    if ((undone.failed ?? []).length > 0) left.push(made);
  }
  return { stayed, failed, left };
}

async function undo(made: Made, { host, restoreSysctl }: UndoOptions): Promise<Undone> {
  switch (made.kind) {
    case 'sysctl':
      return restoreSysctl(made);
    case 'file':
      return undoFile(made);
    case 'folder':
      return undoFolder(made);
    case 'command':
      return undoCommand(made, host);
    case 'package':
      return { stayed: [`the package ${made.name}: others may use it by now; the package manager removes it`] };
    case 'claim':
      return {}; // uninstall.ts empties them, as the data dir
  }
}

async function undoFile({ path, before, mode, after }: MadeOf<'file'>): Promise<Undone> {
  if (!isThere(path)) {
    return before === undefined ? {} : { stayed: [`${path}: somebody has removed it since kagent wrote it`] };
  }
  const now = readBytes(path);
  if (now.toString('base64') === before) return {};
  if (after !== undefined && contentHash(now) !== after) {
    return { stayed: [`${path}: somebody has changed it since kagent wrote it`] };
  }
  if (before === undefined) await rm(path);
  else writeFileAtomicSync(path, Buffer.from(before, 'base64'), mode ?? 0o644);
  return {};
}

async function undoFolder({ path }: MadeOf<'folder'>): Promise<Undone> {
  try {
    await rmdir(path);
    return {};
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT') return {};
    if (code === 'ENOTEMPTY' || code === 'EBUSY')
      return { stayed: [`${path}: something is in it that is not kagent's`] };
    throw error;
  }
}

async function undoCommand(
  { what, undo: [command = '', ...args] }: MadeOf<'command'>,
  host: ServiceHost,
): Promise<Undone> {
  const { code, output } = await host.run(command, args);
  if (code === 0) return {};
  return { failed: [`${what} stays: '${[command, ...args].join(' ')}' ended with ${code}: ${output.trim()}`] };
}
