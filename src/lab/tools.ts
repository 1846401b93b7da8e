import { delimiter, join } from 'node:path';
import { isExecutable, readFileIfExists } from '../shared/files/files.ts';
import { installCommand } from '../host/packages/packages.ts';
import { LabNotRootError, LabToolMissingError } from './errors.ts';

/** What lab.sh calls, and Debian's name of the package that has it. */
const packages = {
  bash: 'bash',
  ip: 'iproute2',
  nsenter: 'util-linux',
  unshare: 'util-linux',
  setsid: 'util-linux',
  nft: 'nftables',
  tc: 'iproute2',
} as const;
export type Tool = keyof typeof packages;

const always: readonly Tool[] = ['bash', 'ip', 'nsenter', 'unshare', 'setsid'];

/** What the commands of `kagent lab` call. */
export function toolsFor(command: string): readonly Tool[] {
  switch (command) {
    case 'loss':
      return [...always, 'nft'];
    case 'rate':
      return [...always, 'tc'];
    default:
      return always;
  }
}

export interface HostSaid {
  readonly uid: number;
  /** Folders of commands, as in PATH. */
  readonly path: string;
  readonly osRelease: string;
}

export function thisHost(): HostSaid {
  const osRelease = readFileIfExists('/etc/os-release') ?? '';
  return { uid: process.getuid?.() ?? 0, path: searchPath(process.env['PATH'] ?? ''), osRelease };
}

/** @throws {LabNotRootError} @throws {LabToolMissingError} naming all that is missing */
export function requireTools(tools: readonly Tool[], { uid, path, osRelease }: HostSaid): void {
  if (uid !== 0) throw new LabNotRootError(uid);
  const folders = path.split(delimiter);
  const missing = tools.filter((tool) => !folders.some((folder) => isExecutable(join(folder, tool))));
  if (missing.length === 0) return;
  const names = [...new Set(missing.map((tool) => packages[tool]))];
  throw new LabToolMissingError(missing, installCommand(names, osRelease));
}

/** PATH, and what a bare environment lacks of it. */
export function searchPath(path: string): string {
  return [path, '/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']
    .filter((folder) => folder !== '')
    .join(delimiter);
}
