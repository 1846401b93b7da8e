/**
 * @module
 * What to type on this distribution to get a package. Knows: os-release(5) and package managers' names.
 * Leaves to others: which package something needs.
 */

interface Installer {
  readonly ids: RegExp;
  readonly command: string;
  /** Packages that have another name here than on Debian. */
  readonly names?: Readonly<Record<string, string>>;
}

const installers: readonly Installer[] = [
  { ids: /\b(debian|ubuntu)\b/, command: 'apt-get install' },
  {
    ids: /\b(fedora|rhel|centos|amzn)\b/,
    command: 'dnf install',
    names: { iproute2: 'iproute iproute-tc' },
  },
  { ids: /\balpine\b/, command: 'apk add' },
  { ids: /\b(suse|opensuse)\b/, command: 'zypper install' },
  { ids: /\barch\b/, command: 'pacman -S' },
];

/**
 * The words to type on this distribution.
 * @param packageNames as on Debian
 * @param osRelease the text of /etc/os-release
 */
export function installCommand(packageNames: readonly string[], osRelease: string): string {
  const ids = [...osRelease.matchAll(/^(?:ID|ID_LIKE)="?([^"\n]*)"?$/gm)].map(([, id]) => id).join(' ');
  const installer = installers.find((candidate) => candidate.ids.test(ids));
  const words = packageNames.map((name) => installer?.names?.[name] ?? name).join(' ');
  if (installer !== undefined) return `${installer.command} ${words}`;
  return `the package${packageNames.length === 1 ? '' : 's'} ${words}`;
}
