import type { Box, Nodes } from './cluster.ts';
import { eventually } from './wait.ts';

export interface ListedNode {
  readonly name: string;
  readonly status: string;
  readonly connected: boolean;
  /** Counts the connections of the node's agent. */
  readonly session?: number;
}

/** `kagent node ls -o json`. */
export async function listNodes(server: Box): Promise<readonly ListedNode[]> {
  const { stdout } = await server.kagent(['node', 'ls', '-o', 'json']);
  return (JSON.parse(stdout) as { readonly nodes: readonly ListedNode[] }).nodes;
}

/** Of each node, which connection it is on. */
export async function sessionsOf(server: Box): Promise<Readonly<Record<string, number | undefined>>> {
  return Object.fromEntries((await listNodes(server)).map(({ name, session }) => [name, session]));
}

/** Until the API and the server's kagent say so of a node. */
export async function untilNode(
  { server }: Pick<Nodes, 'server'>,
  name: string,
  wanted: Partial<ListedNode>,
  withinMs = 60_000,
): Promise<void> {
  const isSo = async () => {
    const node = (await listNodes(server)).find((one) => one.name === name);
    return Object.entries(wanted).every(([key, value]) => node?.[key as keyof ListedNode] === value);
  };
  await eventually(isSo, { withinMs, what: `${name} with ${JSON.stringify(wanted)}` });
}

export interface ListedPod {
  readonly metadata: { readonly name: string; readonly uid: string; readonly deletionTimestamp?: string };
  readonly spec: { readonly nodeName: string };
  readonly status: {
    readonly podIP?: string;
    readonly phase: string;
    readonly containerStatuses?: readonly { readonly restartCount: number; readonly ready: boolean }[];
  };
}

/** Pods with a label, those that are on their way out too. */
export async function podsOf(server: Box, label: string): Promise<readonly ListedPod[]> {
  return (JSON.parse(await server.kubectl('get', 'pods', '-l', label, '-o', 'json')) as { readonly items: ListedPod[] })
    .items;
}
