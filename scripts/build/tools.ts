/**
 * What must be installed to build, and how to say so in one message.
 */
import { accessSync, constants } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { pinnedGo } from './pinned-go.ts';
import { run } from './run.ts';
import type { Target } from './target.ts';

type Manager = 'apt' | 'dnf' | 'apk' | 'zypper' | 'pacman';

interface Tool {
  readonly what: string;
  readonly isThere: () => Promise<boolean>;
  readonly packages: Readonly<Record<Manager, string>>;
}

export const tools = {
  go: {
    what: 'Go, of any version: it fetches the one that builds kagent',
    isThere: async () => (await pinnedGo()) !== undefined,
    packages: { apt: 'golang', dnf: 'golang', apk: 'go', zypper: 'go', pacman: 'go' },
  },
  cc: {
    what: 'a C compiler with static libraries',
    isThere: async () => onPath('gcc') && (await hasStaticLibrary('libc.a')),
    packages: {
      apt: 'gcc libc6-dev',
      dnf: 'gcc glibc-static',
      apk: 'gcc musl-dev',
      zypper: 'gcc glibc-devel-static',
      pacman: 'gcc',
    },
  },
  libseccomp: {
    what: 'libseccomp with its static library, which runc needs, and pkg-config',
    isThere: async () => onPath('gcc') && onPath('pkg-config') && (await hasStaticLibrary('libseccomp.a')),
    packages: {
      apt: 'libseccomp-dev pkg-config',
      dnf: 'libseccomp-static libseccomp-devel pkgconf-pkg-config',
      apk: 'libseccomp-static libseccomp-dev pkgconf',
      zypper: 'libseccomp-devel pkg-config',
      pacman: 'libseccomp pkgconf',
    },
  },
  debianPackages: {
    what: "apt-get and dpkg-deb, to fetch Debian's static busybox",
    isThere: async () => onPath('apt-get') && onPath('dpkg-deb'),
    packages: { apt: 'apt dpkg', dnf: 'apt dpkg', apk: 'apt dpkg', zypper: 'dpkg', pacman: 'dpkg apt' },
  },
} as const satisfies Record<string, Tool>;

export type ToolName = keyof typeof tools;

/** @throws one error that names everything missing and the command that installs it */
export async function requireTools(names: Iterable<ToolName>, target: Target): Promise<void> {
  const wanted = [...new Set(names)].map((name) => toolFor(name, target));
  const there = await Promise.all(wanted.map((tool) => tool.isThere()));
  const missing = wanted.filter((_, index) => there[index] !== true);
  if (missing.length > 0) throw new Error(missingMessage(missing, presentManager()));
}

function toolFor(name: ToolName, target: Target): Tool {
  return name === 'cc' && target.isForeign ? crossCompiler(target) : tools[name];
}

/** Cross-building takes its libraries from Debian: on another system there is no package to name. */
function crossCompiler({ name, cc, triplet }: Target): Tool {
  const packages = `gcc-${triplet.replace('_', '-')} libc6-dev-${name}-cross pkg-config`;
  const elsewhere = `(cross-building needs Debian or its kin, with ${packages}; or build on a box of that kind)`;
  return {
    what: `a C compiler for ${name} with static libraries`,
    isThere: async () => onPath(cc) && onPath('pkg-config') && (await hasStaticLibrary('libc.a', cc)),
    packages: { apt: packages, dnf: elsewhere, apk: elsewhere, zypper: elsewhere, pacman: elsewhere },
  };
}

export function missingMessage(
  missing: readonly Pick<Tool, 'what' | 'packages'>[],
  manager: Manager | undefined,
): string {
  const install = (name: Manager) => `${installCommand[name]} ${missing.map((tool) => tool.packages[name]).join(' ')}`;
  const commands =
    manager === undefined ? Object.keys(installCommand).filter(isManager).map(install) : [install(manager)];
  return [
    `missing on this machine: ${missing.map((tool) => tool.what).join('; ')}`,
    manager === undefined ? 'install with one of:' : 'install with:',
    ...commands.map((command) => `  ${command}`),
  ].join('\n');
}

const installCommand: Readonly<Record<Manager, string>> = {
  apt: 'apt-get install',
  dnf: 'dnf install',
  apk: 'apk add',
  zypper: 'zypper install',
  pacman: 'pacman -S',
};

function isManager(name: string): name is Manager {
  return name in installCommand;
}

function presentManager(): Manager | undefined {
  return Object.keys(installCommand)
    .filter(isManager)
    .find((name) => onPath(name === 'apt' ? 'apt-get' : name));
}

export function onPath(command: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((dir) => {
    try {
      accessSync(join(dir, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** gcc answers with a full path if it has the library, with the bare name if not. */
async function hasStaticLibrary(name: string, cc = 'gcc'): Promise<boolean> {
  return isAbsolute((await run(cc, [`-print-file-name=${name}`])).trim());
}
