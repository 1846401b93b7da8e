/**
 * `<data-dir>/data`: a folder for each version, and the links to those in use.
 *
 *     <identity>             finished: whole, verified, synced
 *     <identity>.tmp-<pid>   what a process is making, or has left behind; the next one may continue it
 *     current ─▶             the version in use; on a host's first start a folder that is being made, until it is finished
 *     previous ─▶            the finished version before
 */
import { lstat, readdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import { lstatSync, readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { removeIfPossible, syncFolder } from '../../shared/files/files.ts';
import { bootId, isAlive } from '../process/process.ts';

const finishedName = /^[0-9a-f]{64}$/;

/** A folder of this process, beside the finished one. */
export const temporaryName = (name: string) => `${name}.tmp-${process.pid}`;

/** Whether a link leads to a version that outlives a power cut: of one that is being made, nobody else may take a program. */
export function leadsToFinished(link: string): boolean {
  const isLink = lstatSync(link, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  return isLink && finishedName.test(basename(readlinkSync(link)));
}

/** `current` leads to what is being made, where no finished version is in use. @returns whether it does */
export async function useUnfinished(data: string, temporary: string): Promise<boolean> {
  if (finishedName.test((await linkTarget(join(data, 'current'))) ?? '')) return false;
  await replaceLink(temporary, bootLink, bootId());
  await replaceLink(data, 'current', basename(temporary));
  return true;
}

/**
 * In a folder that is being made and used: names the boot in which it was begun. What was written since then can be read whether
 * it is on the disk or only in memory.
 */
const bootLink = 'boot-id';

/** What `current` leads to of this version, if a process that is gone has begun it since the host was started. */
export async function findBegun(data: string, identity: string): Promise<string | undefined> {
  const name = (await linkTarget(join(data, 'current'))) ?? '';
  if (!name.startsWith(`${identity}.tmp-`) || !isLeftover(name)) return undefined;
  return (await linkTarget(join(data, name, bootLink))) === bootId() ? join(data, name) : undefined;
}

/** No process continues it. */
export async function forgetBegun(temporary: string): Promise<void> {
  await removeIfPossible(join(temporary, bootLink));
}

/** Undoes that after a failure. */
export async function endUse(data: string): Promise<void> {
  await removeIfPossible(join(data, 'current'));
}

/** `current` leads to one version or the other at every moment; `previous` to the one before. */
export async function switchTo(data: string, identity: string): Promise<void> {
  const before = await linkTarget(join(data, 'current'));
  if (before === identity) return;
  if (before !== undefined && finishedName.test(before)) await replaceLink(data, 'previous', before);
  await replaceLink(data, 'current', identity);
  await syncFolder(data);
}

async function replaceLink(dir: string, name: string, target: string): Promise<void> {
  const temporary = join(dir, temporaryName(name));
  await rm(temporary, { force: true });
  await symlink(target, temporary);
  await rename(temporary, join(dir, name));
}

async function linkTarget(path: string): Promise<string | undefined> {
  const info = await lstat(path).catch(() => undefined);
  return info?.isSymbolicLink() === true ? readlink(path) : undefined;
}

export async function removeOldVersions(data: string): Promise<void> {
  const kept = await Promise.all(['current', 'previous'].map((name) => linkTarget(join(data, name))));
  for (const name of await readdir(data)) {
    if (finishedName.test(name) && !kept.includes(name)) await removeIfPossible(join(data, name));
  }
}

/** Folders that processes which are gone have not finished. @param kept one that is continued */
export async function removeLeftovers(data: string, kept: string | undefined): Promise<void> {
  for (const name of await readdir(data)) {
    if (isLeftover(name) && join(data, name) !== kept) await removeIfPossible(join(data, name));
  }
}

function isLeftover(name: string): boolean {
  const pid = /\.tmp-(\d+)/.exec(name)?.[1];
  return pid !== undefined && (Number(pid) === process.pid || !isAlive(Number(pid))); // ours begins after this
}
