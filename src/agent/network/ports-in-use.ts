import { hostRoot, listeningOwner } from '../../host/checks/checks.ts';
import type { HostRoot } from '../../host/checks/checks.ts';
import type { HostPortOwner, HostPort } from '../../shared/protocol/channel.ts';
import { podHostPorts } from './cni-results.ts';

/** Of these ports of the node's addresses those that a program listens at, or that a pod has as its `hostPort`. */
export function portsInUse(
  ports: readonly HostPort[],
  addresses: readonly string[],
  root: HostRoot = hostRoot(),
  resultsDir?: string,
): readonly HostPortOwner[] {
  const ofPods = podHostPorts(resultsDir);
  return ports.flatMap((hostPort) => {
    const pod = ofPods.find(({ port, protocol }) => port === hostPort.port && protocol === hostPort.protocol);
    const owner = pod === undefined ? listeningOwner(hostPort, addresses, root) : `the Pod ${pod.pod} (hostPort)`;
    return owner === undefined ? [] : [{ ...hostPort, owner }];
  });
}
