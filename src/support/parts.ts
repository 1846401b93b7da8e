import { X509Certificate } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { askStatus } from '../host/daemon/daemon.ts';
import { CommandFailedError } from '../host/run.ts';
import { versionText } from '../cli/cli.ts';
import { adminKubeconfig, runPaths } from '../shared/paths.ts';
import type { Paths } from '../shared/paths.ts';
import { outputOf } from './output.ts';
import type { CommandLine } from './output.ts';

/** A file of the archive. */
export interface Part {
  readonly name: string;
  /** Undefined: there is nothing to have here, and that is no failure. */
  readonly read: () => Promise<string | undefined> | string | undefined;
}

export interface PartOptions {
  readonly paths: Paths;
  /** How this kagent is called again, before its arguments. */
  readonly self: readonly [string, ...string[]];
  readonly timeoutMs: number;
  readonly maxPartBytes: number;
}

/** All but files with settings and logs, which need more care. */
export function parts(options: PartOptions): readonly Part[] {
  return [...ofKagent(options), ...ofHost(options), ...ofNode(options), ...ofCluster(options)];
}

function part(options: PartOptions, name: string, line: CommandLine): Part {
  return { name, read: () => outputOf(line, { timeoutMs: options.timeoutMs, maxBytes: options.maxPartBytes }) };
}

/** By a process of its own, so that nothing it does to itself ends the collecting. */
function self(options: PartOptions, name: string, ...args: readonly string[]): Part {
  const [command, ...before] = options.self;
  return part(options, name, { command, args: [...before, ...args] });
}

function ofKagent(options: PartOptions): readonly Part[] {
  return [
    { name: 'kagent/version.txt', read: versionText },
    {
      name: 'kagent/status.json',
      read: async () => JSON.stringify(await askStatus(runPaths.statusSocket, options.timeoutMs), null, 2),
    },
    { name: 'kagent/children.txt', read: () => commandLines(options.timeoutMs) },
    { name: 'kagent/certificates.txt', read: () => certificates(options.paths) },
    ...['server', 'agent'].map((mode) =>
      self(options, `kagent/config-${mode}.json`, 'config', 'show', mode, '-o', 'json'),
    ),
    ifThere(self(options, 'kagent/doctor.json', 'doctor', '--json')),
    ...(existsSync(options.paths.server.db)
      ? [
          self(options, 'kagent/datastore.json', 'datastore', 'status', '-o', 'json'),
          self(options, 'kagent/nodes.json', 'node', 'ls', '-o', 'json'),
        ]
      : []),
  ];
}

/** A command that this version may not have; one that tells of problems by its exit code has told them. */
function ifThere(wanted: Part): Part {
  return {
    name: wanted.name,
    async read() {
      try {
        return await wanted.read();
      } catch (error) {
        if (!(error instanceof CommandFailedError)) throw error;
        const { stdout, stderr } = error.ended;
        if (stderr.includes('unknown command')) return undefined;
        if (stdout !== '') return stdout;
        throw error;
      }
    },
  };
}

/** What kagent's children were told. */
async function commandLines(timeoutMs: number): Promise<string> {
  const { components } = await askStatus(runPaths.statusSocket, timeoutMs);
  const lines = components.flatMap(({ name, pid, args }) => {
    if (pid === undefined) return [];
    const words = args ?? readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0'); // an earlier kagent's status has none
    return [`${name} (${pid})\n${words.map((word) => `  ${word}`).join('\n')}`];
  });
  return lines.join('\n');
}

/** Subjects and dates, no key. */
function certificates(paths: Paths): string {
  const dirs = [paths.server.tls, paths.agent.pki].filter((dir) => existsSync(dir));
  const files = dirs.flatMap((dir) =>
    readdirSync(dir, { recursive: true, encoding: 'utf8' }).map((name) => join(dir, name)),
  );
  return files
    .filter((file) => file.endsWith('.crt') && statSync(file).isFile())
    .map((file) => {
      const { subject, validFrom, validTo } = new X509Certificate(readFileSync(file));
      return `${file}: ${subject.replaceAll('\n', ', ')}: ${validFrom} to ${validTo}`;
    })
    .join('\n');
}

const hostCommands: Readonly<Record<string, readonly [string, ...string[]]>> = {
  uname: ['uname', '-a'],
  uptime: ['uptime'],
  'kernel-log': ['dmesg', '-T'],
  links: ['ip', '-details', 'address'],
  routes: ['ip', 'route', 'show', 'table', 'all'],
  rules: ['ip', 'rule'],
  neighbours: ['ip', 'neigh'],
  sockets: ['ss', '-lntup'],
  'iptables-save': ['iptables-save'],
  'ip6tables-save': ['ip6tables-save'],
  nftables: ['nft', 'list', 'ruleset'],
  disks: ['df', '-h'],
  inodes: ['df', '-i'],
  memory: ['free', '-m'],
  // Names alone: what others tell their programs is theirs.
  processes: ['ps', '-eo', 'pid,ppid,user,stat,etime,time,rss,nlwp,comm'],
  services: ['systemctl', 'status', 'kagent*', '--no-pager', '--lines=0'],
};

const hostFiles = [
  '/etc/os-release',
  '/etc/resolv.conf',
  '/etc/hosts',
  '/proc/cmdline',
  '/proc/meminfo',
  '/proc/cgroups',
  '/proc/self/mountinfo',
  '/proc/modules',
  '/proc/pressure/cpu',
  '/proc/pressure/memory',
  '/proc/pressure/io',
];

function ofHost(options: PartOptions): readonly Part[] {
  const files = hostFiles.filter((path) => existsSync(path));
  return [
    ...Object.entries(hostCommands).map(([name, [command, ...args]]) =>
      part(options, `box/${name}.txt`, { command, args }),
    ),
    ...files.map((path) => ({ name: `box${path}`, read: () => readFileSync(path, 'utf8') })),
    { name: 'box/cgroups.txt', read: cgroupsOf },
  ];
}

/** Names of the groups that kagent and kubelet make, two levels deep. */
function cgroupsOf(): string {
  const root = '/sys/fs/cgroup';
  const below = (dir: string) =>
    readdirSync(dir, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => join(dir, name));
  const levels = below(root).flatMap((dir) => [dir, ...below(dir).flatMap((inner) => [inner, ...below(inner)])]);
  return levels.filter((dir) => /kagent|kubepods/.test(dir)).join('\n');
}

function ofNode(options: PartOptions): readonly Part[] {
  const command = join(options.paths.bin, 'crictl');
  if (!existsSync(command) || !existsSync(runPaths.containerdSocket)) return [];
  const endpoint = `unix://${runPaths.containerdSocket}`;
  const env = { CONTAINER_RUNTIME_ENDPOINT: endpoint, IMAGE_SERVICE_ENDPOINT: endpoint };
  const asked: Readonly<Record<string, readonly string[]>> = {
    containers: ['ps', '-a'],
    pods: ['pods'],
    images: ['images'],
    imagefs: ['imagefsinfo'],
  };
  return Object.entries(asked).map(([name, args]) => part(options, `node/${name}.txt`, { command, args, env }));
}

/** No Secret, no ConfigMap, no pod's specification: passwords are in all of them. */
function ofCluster(options: PartOptions): readonly Part[] {
  const command = join(options.paths.bin, 'kubectl');
  if (!existsSync(command) || !existsSync(adminKubeconfig)) return [];
  const asked: Readonly<Record<string, readonly string[]>> = {
    'readyz.txt': ['get', '--raw', '/readyz?verbose'],
    'nodes.txt': ['get', 'nodes', '-o', 'wide'],
    'nodes.yaml': ['get', 'nodes', '-o', 'yaml'],
    'events.txt': ['get', 'events', '-A', '--sort-by=.metadata.creationTimestamp'],
    'pods.txt': ['get', 'pods', '-A', '-o', 'wide'],
    'workloads.txt': ['get', 'deployments,daemonsets,statefulsets,jobs', '-A', '-o', 'wide'],
    'services.txt': ['get', 'services,endpointslices,ingresses', '-A', '-o', 'wide'],
    'volumes.txt': ['get', 'persistentvolumes,persistentvolumeclaims,storageclasses', '-A', '-o', 'wide'],
    'apiservices.txt': ['get', 'apiservices'],
    'leases.txt': ['get', 'leases', '-A'],
  };
  return Object.entries(asked).map(([name, args]) =>
    part(options, `cluster/${name}`, {
      command,
      args: ['--request-timeout=8s', ...args],
      env: { KUBECONFIG: adminKubeconfig },
    }),
  );
}
