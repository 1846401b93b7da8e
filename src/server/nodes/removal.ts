/** A node leaves the cluster for good: its agent ends, its name is free. */
import { closeCodes } from '../../shared/protocol/channel.ts';
import type { NodeObject } from './directory.ts';
import { NodeIsServerError, NodeStillReadyError, NodeUnknownError } from './errors.ts';
import type { Parts } from './parts.ts';

/** @throws {NodeUnknownError} @throws {NodeIsServerError} @throws {NodeStillReadyError} unless `force` */
export async function removeNode(
  parts: Parts,
  nodeName: string,
  { force }: { readonly force: boolean },
): Promise<void> {
  const { kube, store, registry, directory, identities, history, connections, ownNode, log } = parts;
  const session = registry.session(nodeName);
  const object = directory.get(nodeName);
  const prefix = `/kagent/nodes/${nodeName}/`;
  const kept = (await store.list(prefix)).entries;
  if (session === undefined && object === undefined && kept.size === 0) throw new NodeUnknownError(nodeName);
  if (nodeName === ownNode) throw new NodeIsServerError(nodeName);
  if (!force && session !== undefined && isInUse(object)) throw new NodeStillReadyError(nodeName);
  await session?.command({ kind: 'leave' }).catch((error: unknown) => {
    log.warn('a removed node was not told', { node: nodeName, error });
  });
  session?.close(closeCodes.notJoined, 'this node was removed from the cluster');
  registry.forget(nodeName);
  await history.flush(nodeName);
  await connections.forget(nodeName);
  await identities.forget(nodeName);
  if (object !== undefined) await kube.delete(`/api/v1/nodes/${nodeName}`);
  for (const key of (await store.list(prefix)).entries.keys()) await store.delete(key);
  log.info('node removed', { node: nodeName });
}

/** Ready, and pods may come to it. */
function isInUse(node: NodeObject | undefined): boolean {
  const isReady = node?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
  return isReady && node?.spec?.unschedulable !== true;
}
