import { PortsInUse, readMessage } from '../../shared/protocol/channel.ts';
import type { HostPort, HostPortOwner, VolumeFolder } from '../../shared/protocol/channel.ts';
import { NodeCommandError, NodeNotConnectedError } from './errors.ts';
import type { NodeSession } from './session.ts';

/**
 * Who has these ports on a node. Undefined for an agent of an earlier version, which does not know the question.
 * @throws {NodeNotConnectedError} @throws {NodeCommandError}
 */
export async function askPortsInUse(
  session: NodeSession | undefined,
  nodeName: string,
  ports: readonly HostPort[],
): Promise<readonly HostPortOwner[] | undefined> {
  if (session === undefined) throw new NodeNotConnectedError(nodeName);
  if (session.hello.tellsPortsInUse !== true) return undefined;
  const answer = await session.command({ kind: 'ports-in-use', ports: [...ports] });
  const owners = readMessage(PortsInUse, answer);
  if (owners === undefined) throw new NodeCommandError(nodeName, 'its answer about ports is not readable');
  return owners;
}

/** @throws {NodeNotConnectedError} @throws {NodeCommandError} */
export async function askVolume(
  session: NodeSession | undefined,
  nodeName: string,
  kind: 'make-volume' | 'remove-volume',
  { root, path }: VolumeFolder,
): Promise<void> {
  if (session === undefined) throw new NodeNotConnectedError(nodeName);
  if (session.hello.keepsVolumes !== true)
    throw new NodeCommandError(nodeName, 'its kagent is of an earlier version, which makes no volumes');
  await session.command({ kind, root, path });
}
