import { rfc3339 } from '../../shared/clock.ts';
import type { NodeSummary } from '../../shared/protocol/local.ts';
import { componentsDown } from '../nodes/nodes.ts';
import type { NodeView } from '../nodes/nodes.ts';

/** A node as `kagent node ls` shows it. */
export function summaryOf({ name, object, session, lastSeen, hello }: NodeView): NodeSummary {
  const ready = object?.status?.conditions?.find(({ type }) => type === 'Ready');
  const addressOf = (type: string) => object?.status?.addresses?.find((one) => one.type === type)?.address;
  return {
    name,
    status: object === undefined ? 'Unregistered' : ready?.status === 'True' ? 'Ready' : 'NotReady',
    schedulable: object?.spec?.unschedulable !== true,
    connected: session !== undefined,
    ...(session !== undefined && {
      session: session.generation,
      connectedSince: rfc3339(session.sinceMs),
    }),
    ...(lastSeen !== undefined && { lastSeen }),
    ...(hello !== undefined && { version: hello.version, kubernetesVersion: hello.kubernetesVersion }),
    ...(addressOf('InternalIP') !== undefined && { internalIp: addressOf('InternalIP') }),
    ...(addressOf('ExternalIP') !== undefined && { externalIp: addressOf('ExternalIP') }),
    ...(session?.heartbeat?.clockSkewMs !== undefined && { clockSkewMs: session.heartbeat.clockSkewMs }),
    componentsDown: session?.heartbeat === undefined ? [] : [...componentsDown(session.heartbeat)],
  };
}
