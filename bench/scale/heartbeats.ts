/** Whether the server heard every node in time: from what it keeps of each. */
import { askServer } from '../../src/host/daemon/daemon.ts';
import { heartbeatEveryMs } from '../../src/shared/protocol/channel.ts';
import { NodeDetails, NodeList } from '../../src/shared/protocol/local.ts';

/** Of each connected node, which connection it is on and how many heartbeats were heard. */
export type Heartbeats = ReadonlyMap<string, { readonly session: number; readonly heard: number }>;

export interface HeartbeatResult {
  readonly nodes: number;
  readonly heard: number;
  /** Less than there should be, by more than the one at either edge of the window. */
  readonly missed: number;
  readonly reconnected: number;
}

export async function heartbeatsOf(socketPath: string): Promise<Heartbeats> {
  const { nodes } = await askServer(socketPath, { method: 'GET', path: '/v1/nodes' }, NodeList);
  const heartbeats = new Map<string, { readonly session: number; readonly heard: number }>();
  for (const { name, session } of nodes) {
    if (session === undefined) continue;
    const { history } = await askServer(socketPath, { method: 'GET', path: `/v1/nodes/${name}` }, NodeDetails);
    heartbeats.set(name, { session, heard: history.reduce((sum, entry) => sum + entry.beats, 0) });
  }
  return heartbeats;
}

/** Of the nodes that were there at the beginning. */
export function heartbeatsBetween(before: Heartbeats, after: Heartbeats, windowSeconds: number): HeartbeatResult {
  const wanted = Math.floor((windowSeconds * 1000) / heartbeatEveryMs) - 1;
  const each = [...before].map(([name, then]) => {
    const now = after.get(name);
    const heard = (now?.heard ?? 0) - then.heard;
    return { heard, missed: Math.max(0, wanted - heard), isNew: now?.session !== then.session };
  });
  return {
    nodes: each.length,
    heard: each.reduce((sum, { heard }) => sum + heard, 0),
    missed: each.reduce((sum, { missed }) => sum + missed, 0),
    reconnected: each.filter(({ isNew }) => isNew).length,
  };
}
