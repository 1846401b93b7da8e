/** A node has said hello: it is let in, or its link is closed. */
import { closeCodes } from '../../shared/protocol/channel.ts';
import type { Hello } from '../../shared/protocol/channel.ts';
import type { Peer } from '../identity/identity.ts';
import { inBackground } from './parts.ts';
import type { Parts } from './parts.ts';
import { NodeSession } from './session.ts';
import type { NodeLink } from './session.ts';

/** @returns undefined if it was rejected; its link is closed then */
export async function connect(
  parts: Parts,
  { peer, link, hello }: { readonly peer: Peer; readonly link: NodeLink; readonly hello: Hello },
): Promise<NodeSession | undefined> {
  const { registry, identities, addresses, connections, history, reopening, servers, clock, log } = parts;
  const { nodeName } = peer;
  if (!(await identities.names.isMember(peer))) {
    link.close(closeCodes.notJoined, 'this node is not part of the cluster');
    return undefined;
  }
  if (registry.hasOther(nodeName, hello.machineId)) {
    rejectDuplicate(parts, { link, nodeName, hello });
    return undefined;
  }
  const addressProblem = await addresses.settle(nodeName, hello, link.seenAs ?? '');
  const generation = await connections.next(nodeName);
  const session: NodeSession = new NodeSession({
    nodeName,
    link,
    hello,
    generation,
    addressProblem,
    clock,
    heartbeatBefore: registry.session(nodeName)?.heartbeat,
    onHeartbeat: (heartbeat, before) => inBackground(parts, parts.heartbeats.take(nodeName, heartbeat, before)),
    onOpenFailed: (id, reason) => parts.streamFailed.tell({ id, reason }),
    onEnded: () => ended(parts, session),
  });
  registry.add(session)?.close(closeCodes.replaced, 'a newer connection of this node');
  addresses.check(nodeName);
  reopening.check(nodeName);
  inBackground(parts, history.connected(nodeName));
  session.send({
    type: 'welcome',
    session: generation,
    nowMs: clock.now(),
    server: servers.name,
    servers: [...servers.current(link.reachedAt)],
  });
  log.info('node connected', { node: nodeName, session: generation, version: hello.version });
  return session;
}

/** Another machine is connected with this identity: two of one name would undo each other's work. */
function rejectDuplicate(
  { announcer, log }: Parts,
  { link, nodeName, hello }: { readonly link: NodeLink; readonly nodeName: string; readonly hello: Hello },
): void {
  const message = `another machine (${hello.machineId}) connects with the identity of ${nodeName}: was its disk copied? Type 'kagent uninstall' on one of them`;
  announcer.event(nodeName, { type: 'Warning', reason: 'IdentityCopied', message });
  log.warn('a copy of a node connects', { node: nodeName, machine: hello.machineId });
  link.close(closeCodes.twin, 'another machine is connected with this identity');
}

function ended(parts: Parts, session: NodeSession): void {
  const { registry, stopping, connections, history, log } = parts;
  const { nodeName, generation } = session;
  if (!registry.remove(session) || stopping.signal.aborted) return;
  log.info('node disconnected', { node: nodeName, session: generation });
  inBackground(parts, connections.write(nodeName, generation));
  inBackground(parts, history.flush(nodeName));
}
