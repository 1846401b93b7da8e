import * as z from 'zod';
import { table } from '../cli/cli.ts';
import { hostsOf } from './hosts.ts';
import type { LabHost, LabRecord } from './hosts.ts';
import { labScript } from './script.ts';
import type { HostState, LabScript } from './script.ts';

export type NodeState = 'Ready' | 'NotReady' | 'Unknown';

/** What `kagent lab ls -o json` prints, for each lab. */
export interface LabStatus {
  readonly name: string;
  readonly dir: string;
  readonly hosts: readonly (Pick<LabHost, 'name' | 'role' | 'address'> & {
    readonly state: HostState;
    /** What the cluster says; `Unknown` where no server answers, or knows no such node. */
    readonly node: NodeState;
  })[];
}

export async function labStatus(lab: LabRecord): Promise<LabStatus> {
  const script = labScript(lab);
  const states = await Promise.all(hostsOf(lab).map(async (host) => [host, await script.state(host)] as const));
  const nodes = await askNodes(
    script,
    states.flatMap(([host, state]) => (host.role === 'server' && answering.has(state) ? [host] : [])),
  );
  const hosts = states.map(([{ name, role, address }, state]) => {
    return { name, role, address, state, node: nodes.get(name) ?? ('Unknown' as const) };
  });
  return { name: lab.name, dir: lab.dir, hosts };
}

const answering: ReadonlySet<HostState> = new Set(['on', 'unplugged']);

/** What the first of these servers says that says anything. */
async function askNodes(script: LabScript, servers: readonly LabHost[]): Promise<ReadonlyMap<string, NodeState>> {
  for (const host of servers) {
    try {
      return nodeStates(await script.inHost(host, ['kubectl', 'get', 'nodes', '-o', 'json', '--request-timeout=5s']));
    } catch {
      // Its kube-apiserver is not up; another one's may be.
    }
  }
  return new Map();
}

const NodeList = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string() }),
      status: z.object({ conditions: z.array(z.object({ type: z.string(), status: z.string() })).optional() }),
    }),
  ),
});

/** @param json what `kubectl get nodes -o json` prints */
export function nodeStates(json: string): ReadonlyMap<string, NodeState> {
  const { items } = NodeList.parse(JSON.parse(json));
  return new Map(
    items.map(({ metadata, status }) => {
      const ready = status.conditions?.find(({ type }) => type === 'Ready');
      return [metadata.name, ready?.status === 'True' ? 'Ready' : 'NotReady'];
    }),
  );
}

/** What `kagent lab ls` prints for people. */
export function labTable(labs: readonly LabStatus[]): string {
  if (labs.length === 0) return "there is no lab; 'kagent lab up' makes one\n";
  const rows = labs.flatMap(({ name, hosts }) =>
    hosts.map((host) => [name, host.name, host.role, host.address, host.state, host.node]),
  );
  return `${table([['LAB', 'HOST', 'ROLE', 'ADDRESS', 'STATE', 'NODE'], ...rows])}\n`;
}
