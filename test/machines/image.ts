/**
 * Disks that a machine boots from: a Debian made by mmdebstrap, once for each kind of machine, kept with what the build keeps.
 * Each machine writes to an overlay of its own.
 */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { defaultCacheDir, hashOf, openCache } from '../../scripts/build/cache.ts';
import { mirror } from '../../scripts/build/debian.ts';
import { hardenedCommands, hardenedFiles, hardenedFileSystems, hardenedPackages } from './hardened.ts';
import { bootScript, bootUnit, firewallFiles, networkPackages, services, userModeAgentUnit } from './setup.ts';
import { userModeKernel } from './user-mode-kernel.ts';

const run = promisify(execFile);

export type Arch = 'amd64' | 'arm64';
export type NetworkManager = 'networkd' | 'NetworkManager' | 'ifupdown';
export type Firewall = 'none' | 'ufw' | 'firewalld' | 'nftables';

/** `distribution`: Debian's own, under QEMU. `user-mode`: of Debian's sources, as a process of this machine's. */
export type Kernel = 'distribution' | 'user-mode';

/** What is installed on a machine, before kagent. */
export interface ImageOptions {
  readonly kernel: Kernel;
  readonly suite: 'bookworm' | 'trixie';
  readonly arch: Arch;
  readonly network: NetworkManager;
  readonly firewall: Firewall;
  readonly docker: boolean;
  /** As a careful owner has it: what may be read-only is, what need not be run cannot be. */
  readonly hardened: boolean;
}

export interface Image {
  /** A raw ext4 file system. */
  readonly disk: string;
  readonly kernel: string;
  /** Without one, the kernel needs no modules. */
  readonly initrd?: string;
}

const diskSize = '12G'; // sparse

const fileSystems = [
  'LABEL=root / ext4 rw 0 1',
  'LABEL=release /mnt/release ext4 ro,nofail,x-systemd.device-timeout=10min 0 0',
];

/** What every installed Debian has of these; no iptables, no libatomic: kagent brings its own. */
const base = ['systemd-sysv', 'udev', 'dbus', 'kmod', 'iproute2', 'nftables', 'qemu-guest-agent', 'sudo', 'wget'];

function packagesOf({ arch, kernel, network, firewall, docker, hardened }: ImageOptions): readonly string[] {
  return [
    ...base,
    ...(kernel === 'distribution' ? [`linux-image-cloud-${arch}`] : []),
    ...networkPackages[network],
    ...(firewall === 'none' ? [] : [firewall]),
    ...(docker ? ['docker.io'] : []),
    ...(hardened ? hardenedPackages : []),
  ];
}

export async function imageOf(given: ImageOptions): Promise<Image> {
  const options = inOneOrder(given);
  const packages = packagesOf(options);
  const script = customization(options);
  const cache = await openCache(defaultCacheDir);
  const dir = await cache.entry({
    name: `machine-${options.suite}-${options.arch}-${options.kernel}`,
    key: hashOf({ options, packages, script, diskSize }),
    build: (dir_) => buildImage(options, packages, script, dir_),
  });
  const disk = join(dir, 'disk');
  if (options.kernel === 'user-mode') return { disk, kernel: await userModeKernel(options.suite, cache) };
  return { disk, kernel: join(dir, 'kernel'), initrd: join(dir, 'initrd') };
}

/** The cache knows an image by the text of its options. */
function inOneOrder({ arch, kernel, docker, hardened, suite, network, firewall }: ImageOptions): ImageOptions {
  return { arch, kernel, docker, hardened, suite, network, firewall };
}

async function buildImage(options: ImageOptions, packages: readonly string[], script: string, dir: string) {
  const root = join(dir, 'root');
  const flags = [
    '--quiet',
    '--variant=apt',
    `--architectures=${options.arch}`,
    `--include=${packages.join(',')}`,
    '--customize-hook=chroot "$1" /bin/sh -c "$CUSTOMIZATION"',
  ];
  const env = { ...process.env, CUSTOMIZATION: script };
  const source = `deb ${await mirror()} ${options.suite} main`;
  await run('mmdebstrap', [...flags, options.suite, root, source], { env, maxBuffer: 64 * 1024 * 1024 });
  if (options.kernel === 'distribution') await takeKernel(root, dir);
  await fileSystem(root, join(dir, 'disk'), diskSize, 'root');
  await rm(root, { recursive: true });
}

async function takeKernel(root: string, dir: string): Promise<void> {
  const boot = await readdir(join(root, 'boot'));
  for (const [name, prefix] of [
    ['kernel', 'vmlinu'],
    ['initrd', 'initrd.img'],
  ] as const) {
    const file = boot.find((entry) => entry.startsWith(prefix));
    if (file === undefined) throw new Error(`${root}/boot has no ${prefix}*`);
    await copyFile(join(root, 'boot', file), join(dir, name));
  }
}

/** Makes an ext4 file system with the content of a folder. */
export async function fileSystem(folder: string, path: string, size: string, label: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await rm(path, { force: true });
  await writeFile(path, '');
  await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-L', label, '-d', folder, path, size]);
}

/** Runs in the root as the last step. */
function customization({ kernel, network, firewall, hardened }: ImageOptions): string {
  const file = (path: string, text: string, mode = '644') =>
    `mkdir -p "$(dirname ${path})"\ncat >${path} <<'END'\n${text}END\nchmod ${mode} ${path}\n`;
  return [
    'set -e\n',
    file('/etc/fstab', [...fileSystems, ...(hardened ? hardenedFileSystems : []), ''].join('\n')),
    ...Object.entries(hardened ? hardenedFiles : {}).map(([path, text]) => file(path, text)),
    hardened ? hardenedCommands : '',
    'mkdir -p /mnt/release\n',
    file('/usr/local/sbin/machine-boot', bootScript(network), '755'),
    file('/etc/systemd/system/machine-boot.service', bootUnit),
    kernel === 'user-mode' ? file('/etc/systemd/system/qemu-guest-agent.service', userModeAgentUnit) : '',
    ...Object.entries(firewallFiles[firewall]).map(([path, text]) => file(path, text)),
    `systemctl --quiet enable machine-boot.service qemu-guest-agent.service ${services(network, firewall).join(' ')} || true\n`,
    // What would run by itself just when something is measured or compared.
    'for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer man-db.timer; do ln -sf /dev/null /etc/systemd/system/$unit; done\n',
    firewall === 'ufw' ? 'sed -i s/ENABLED=no/ENABLED=yes/ /etc/ufw/ufw.conf\n' : '',
    'rm -f /etc/resolv.conf; echo nameserver 10.77.0.1 >/etc/resolv.conf; rm -rf /var/lib/apt/lists/* /var/cache/apt/*\n',
  ].join('');
}
