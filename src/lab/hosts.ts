/** What a lab consists of. Everything here follows from its record, so that `down` finds what a killed `up` made. */
import * as z from 'zod';

export const LabRecord = z.object({
  name: z.string(),
  /** Has the disks of the hosts, and the executable they share; the lab's own. */
  dir: z.string(),
  /** One in a lab of an earlier version. */
  servers: z.int().default(1),
  agents: z.int(),
  /** Flags for `kagent server`. */
  serverFlags: z.array(z.string()),
});
export type LabRecord = Readonly<z.infer<typeof LabRecord>>;

export interface LabHost {
  readonly name: string; // 's1', 'a1': also the node's name
  readonly role: 'server' | 'agent';
  readonly lastByte: number;
  readonly address: string;
}

/** Every lab has these: its switch is its own, so that labs do not meet. */
export const labNet = '10.77.0';
export const maxAgents = 20;
export const maxServers = 5;

const firstByte = { server: 11, agent: 21 } as const;

function hostOf(role: LabHost['role'], index: number): LabHost {
  const lastByte = firstByte[role] + index;
  return { name: `${role.charAt(0)}${index + 1}`, role, lastByte, address: `${labNet}.${lastByte}` };
}

/** The first one, which makes the cluster. */
export const server: LabHost = hostOf('server', 0);

/** Servers first. */
export function hostsOf({ servers, agents }: Pick<LabRecord, 'servers' | 'agents'>): readonly LabHost[] {
  const some = (count: number, role: LabHost['role']) =>
    Array.from({ length: count }, (_, index) => hostOf(role, index));
  return [...some(servers, 'server'), ...some(agents, 'agent')];
}

/** The words to type for one lab: `kagent lab down --name other`. */
export function toType(name: string, command: string): string {
  return `kagent lab ${command}${name === 'lab' ? '' : ` --name ${name}`}`;
}

/** Where a host has kagent's data: one of the folders that lie on its disk. */
const dataDir = '/var/lib/kagent';
export const nodeTokenFile = `${dataDir}/server/node-token`;
export const serverTokenFile = `${dataDir}/server/token`;
export const joinTokenFile = `${dataDir}/join-token`;
const logFile = `${dataDir}/logs/kagent.log`;

/** The path of a host's file outside, for the folders that lie on its disk. */
export function onDisk(lab: LabRecord, host: LabHost, path: string): string {
  return `${lab.dir}/${host.name}/disk${path}`;
}

/** The folder that all hosts of a lab see. */
export function sharedDir(lab: LabRecord): string {
  return `${lab.dir}/bin`;
}

/** What runs on a host for as long as it is on. */
export function kagentCommand(lab: LabRecord, host: LabHost): readonly string[] {
  return ['kagent', ...argumentsOf(lab, host), '--daemonize'];
}

function argumentsOf({ servers, serverFlags }: LabRecord, { name, role }: LabHost): readonly string[] {
  const first = `https://${server.address}:9345`;
  if (role === 'agent') return ['agent', '--url', first, '--token-file', joinTokenFile];
  if (name !== server.name) return ['server', '--server', first, '--token-file', joinTokenFile, ...serverFlags];
  return ['server', ...(servers > 1 ? ['--cluster-init'] : []), ...serverFlags];
}

/** Makes a new host one on which kagent alone is installed, whatever is installed on the box around it. */
export function installScript(lab: LabRecord): string {
  const bin = '/usr/local/bin';
  return [
    'set -e',
    `rm -rf /etc/kagent ${bin}/kagent* /etc/systemd/system/kagent* /etc/init.d/kagent*`,
    `mkdir -p ${bin}`,
    `ln -s ${sharedDir(lab)}/kagent ${bin}/kagent`,
    `for tool in kubectl crictl ctr; do ln -sfn kagent ${bin}/$tool; done`,
    `ln -sfn ${logFile} /var/log/kagent.log`,
  ].join('\n');
}

/** A command with a host's environment: of the caller's only what belongs to the terminal. */
export function inEnvironment(command: readonly string[], env: Readonly<NodeJS.ProcessEnv>): readonly string[] {
  const kept = ['TERM', 'COLORTERM', 'LANG', 'LC_ALL'].flatMap((name) =>
    env[name] === undefined ? [] : [`${name}=${env[name]}`],
  );
  const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  return ['env', '-i', `PATH=${path}`, 'HOME=/root', ...kept, ...command];
}
