/**
 * Which user each program of the control plane is, and how it gets its files. Those that are parts of one process are one user,
 * the first one's.
 *
 *   data dir, root's alone ──copied──▶ /run/kagent/<process>/, which that user reads and root alone writes
 *
 * So nothing in the data dir has another owner than before: an upgrade changes no file, another version starts on it, a
 * data dir below a folder of root's alone will do, and what is in /run goes with kagent or the next boot.
 */
import { chmodSync, chownSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { messageOf } from '../../shared/errors.ts';
import { letThrough, makeFolder, readBytes, readFileIfExists } from '../../shared/files/files.ts';
import { runDir } from '../../shared/paths.ts';
import { whyNotAsUser } from '../../host/process/process.ts';
import type { SecurityContext } from '../../host/process/process.ts';
import { unreachableFile } from './reachable.ts';

/**
 * Above the numbers that directories (LDAP, Active Directory) hand out, below those that systemd sets apart, and in no range
 * of containers' users. Nothing is written to /etc/passwd: a number needs no name.
 */
const users = {
  'kube-apiserver': 2_109_345_001,
  'kube-controller-manager': 2_109_345_002,
  'kube-scheduler': 2_109_345_003,
  helm: 2_109_345_004,
} as const;

export type ProgramName = keyof typeof users;

export interface Account {
  readonly securityContext: SecurityContext;
  /** May use sockets that are for this program; undefined if it is root. */
  readonly group: number | undefined;
  /** Why it is root, for a person. */
  readonly isRootBecause: string | undefined;
  /** @param name of the copy; as the file's unless said @returns where the program finds this file of root's */
  readonly give: (path: string, name?: string) => string;
  /** Its files; undefined if it is root. */
  readonly folder: string | undefined;
  /** Files that have changed since they were given are given again. */
  readonly refresh: () => void;
  /** It is that of a process with others as its parts. */
  readonly isShared: boolean;
}

export interface AccountOptions {
  /** Whose user it is. */
  readonly program: ProgramName;
  /** What it is a part of, if it is. */
  readonly process?: string;
  /** What the operator adds; a file that it names has to be the program's to read. */
  readonly extraArgs: readonly string[];
  /** The lowest port it listens on. */
  readonly port: number;
  /** A folder that becomes its own, for what it writes. */
  readonly ownDir?: string | undefined;
  readonly runDir?: string;
}

/** The account exists as soon as its folder does; root's where this host or an argument of the operator's needs that. */
export function openAccount(options: AccountOptions): Account {
  const { program, process, port } = options;
  const uid = users[program];
  const folder = join(options.runDir ?? runDir, process ?? program);
  const isShared = process !== undefined;
  const securityContext: SecurityContext = {
    runAsUser: uid,
    allowPrivilegeEscalation: false,
    ...(port < 1024 && { addCapabilities: ['net_bind_service'] }),
  };
  rmSync(folder, { recursive: true, force: true }); // of an earlier start, which may have given it more
  const reason = whyNotAsUser(securityContext) ?? reasonInArguments(options) ?? reasonInFolder(folder, uid);
  if (reason !== undefined) return rootAccount(reason, isShared);
  const given = new Map<string, string>();
  return {
    securityContext,
    group: uid,
    isRootBecause: undefined,
    folder,
    isShared,
    give(path, name = basename(path)) {
      const copy = join(folder, name);
      const other = [...given].find(([from, to]) => to === copy && from !== path);
      if (other !== undefined) throw new TypeError(`${path} and ${other[0]} have one name`);
      given.set(path, copy);
      writeForGroup(copy, readBytes(path), uid);
      return copy;
    },
    refresh() {
      for (const [path, copy] of given) writeForGroup(copy, readBytes(path), uid);
    },
  };
}

/** Why this program has to be root, whatever the others are. */
export function reasonInArguments(options: AccountOptions): string | undefined {
  const uid = users[options.program];
  return reasonInOwnDir(options, uid) ?? reasonInFiles(options, uid);
}

function rootAccount(reason: string, isShared: boolean): Account {
  return {
    securityContext: { allowPrivilegeEscalation: false },
    group: undefined,
    isRootBecause: reason,
    folder: undefined,
    isShared,
    give: (path) => path,
    refresh() {},
  };
}

/** Makes the program's folder. */
function reasonInFolder(folder: string, uid: number): string | undefined {
  const above = dirname(folder);
  try {
    makeFolder(above, 0o755);
    letThrough(above);
    makeFolder(folder, 0o750);
    chownSync(folder, 0, uid);
    return undefined;
  } catch (error) {
    return `${folder} cannot be given to user ${uid}: ${messageOf(error)}`;
  }
}

function reasonInOwnDir({ program, ownDir }: AccountOptions, uid: number): string | undefined {
  if (ownDir === undefined) return undefined;
  try {
    makeFolder(ownDir, 0o700);
    chownSync(ownDir, uid, uid);
  } catch (error) {
    return `${ownDir} cannot be given to user ${uid}: ${messageOf(error)}`;
  }
  const closed = unreachableFile([ownDir], uid);
  return closed === undefined ? undefined : `${program} writes to ${ownDir}, and ${closed} is closed to user ${uid}`;
}

function reasonInFiles({ program, extraArgs }: AccountOptions, uid: number): string | undefined {
  const named = unreachableFile(extraArgs.flatMap(pathsIn), uid);
  if (named === undefined) return undefined;
  return `an argument of yours leads to ${named}, which is closed to user ${uid}; ${program} runs as that user where the file, or a folder of its own for what it writes, is open to it`;
}

/** `name=/a/file`, `name=file:///a/socket`, `name=a=/file,b=/file`; what is after another scheme is no path here. */
function pathsIn(argument: string): readonly string[] {
  const withoutUrls = argument.replaceAll(/(?<=^|[=,])(?!file:|unix:)[a-z][a-z0-9+.-]*:\/\/[^,]*/g, '');
  return withoutUrls.match(/(?<=^|[=,:]|\/\/)\/[^,:]+/g) ?? [];
}

/** Whole or not there, and readable from its first moment on; /run is gone after a power cut, so nothing is synced. */
function writeForGroup(path: string, content: Uint8Array, gid: number): void {
  if (readFileIfExists(path) === Buffer.from(content).toString('utf8')) return;
  const temporary = `${path}.tmp`;
  writeFileSync(temporary, content, { mode: 0o600 });
  chownSync(temporary, 0, gid);
  chmodSync(temporary, 0o640);
  renameSync(temporary, path);
}
