/** Who belongs to the cluster: which machine is which node, who is connected, and kube-apiserver's tunnel to them. */
import { systemClock } from '../shared/clock.ts';
import { runPaths } from '../shared/paths.ts';
import { metricsServer, nodeCidrMaskSize } from './cluster/cluster.ts';
import type { Leadership } from './cluster/cluster.ts';
import type { ControlPlane } from './control-plane/control-plane.ts';
import type { Foundation } from './foundation.ts';
import { createNodeIdentities } from './identity/identity.ts';
import type { NodeIdentities } from './identity/identity.ts';
import { createNodes, NodeRegistry } from './nodes/nodes.ts';
import type { Nodes } from './nodes/nodes.ts';
import type { ServerPlan } from './plan.ts';
import { createTunnel } from './tunnel/tunnel.ts';
import type { Tunnel } from './tunnel/tunnel.ts';

export interface Members {
  readonly identities: NodeIdentities;
  readonly nodes: Nodes;
  readonly tunnel: Tunnel;
}

export function membersOf(
  plan: ServerPlan,
  { datastore, accounts }: Foundation,
  { controlPlane, leadership }: { readonly controlPlane: ControlPlane; readonly leadership: Leadership },
): Members {
  const { config, nodeIp, ownNode, servers, settings, log } = plan;
  const { kube } = controlPlane;
  const store = datastore.keys;
  const registry = new NodeRegistry(systemClock);
  const identities = createNodeIdentities({
    store,
    ownNode,
    heardAtMs: (name) => registry.heardAtMs(name),
    ownAddresses: () => [nodeIp, plan.reached.advertiseAddress, ...plan.addresses()],
    ranges: settings,
    log,
  });
  // Each has one of its own, and the cluster knows the address of one of them.
  const isServer = (host: string) =>
    host === plan.reached.advertiseAddress ||
    servers.others().some(({ apiserverUrl }) => new URL(apiserverUrl).hostname === host);
  const needsRanges = config.flannelBackend !== 'none';
  const podRanges = { clusterCidr: config.clusterCidr, nodeCidrMaskSize: nodeCidrMaskSize(config) };
  const nodes = createNodes({
    kube,
    store,
    servers,
    registry,
    identities,
    ownNode,
    leadership,
    ...(needsRanges && { podRanges }),
    log,
  });
  const tunnel = createTunnel({
    socketPath: runPaths.egressSocket,
    group: accounts['kube-apiserver'].group,
    nodes: () => nodes.objects(),
    addresses: identities.addresses,
    session: (name) => nodes.session(name),
    ownNode,
    here: ({ host, port }) => (port === metricsServer.port && isServer(host) ? port : undefined),
    log,
  });
  identities.onRevoked((revoked) => controlPlane.revoke(revoked));
  identities.onAttempt((attempt) => nodes.nameClaimed(attempt));
  identities.onMoved((moved) => nodes.addressMoved(moved));
  nodes.onStreamFailed(({ id, reason }) => tunnel.failed(id, reason));
  return { identities, nodes, tunnel };
}
