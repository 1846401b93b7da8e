import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { task } from '../../shared/component/component.ts';
import type { Component, SaysWait, ComponentName } from '../../shared/component/component.ts';
import { writeFileIfChanged } from '../../shared/files/files.ts';
import type { Paths } from '../../shared/paths.ts';
import { run } from '../../host/run.ts';
import type { ClusterSettings } from '../../shared/protocol/join.ts';
import { subnetOf } from './subnet.ts';
import type { Subnet } from './subnet.ts';

/**
 * Our own folder: another program's configuration in /etc/cni/net.d does not decide about our pods. With the backend
 * `none` it does: that is where every other network's installer writes.
 */
export function cniConfDir(paths: Paths, backend: ClusterSettings['flannelBackend']): string {
  return backend === 'none' ? '/etc/cni/net.d' : ownConfDir(paths);
}

function ownConfDir(paths: Paths): string {
  return join(paths.agent.etc, 'cni', 'net.d');
}

/** Where containerd looks for plugins: the bundled ones, and with `none` also where installers of others put theirs. */
export function cniBinDirs(bundledDir: string, backend: ClusterSettings['flannelBackend']): readonly string[] {
  return backend === 'none' ? ['/opt/cni/bin', bundledDir] : [bundledDir];
}

/** Which addresses are given to which pods; on the tmpfs of /run because a reboot ends every pod. */
export const ipamDir = '/run/kagent/cni';

export const bridgeName = 'cni0';

export const networkName = 'kagent';

export interface CniOptions {
  readonly paths: Paths;
  readonly backend: ClusterSettings['flannelBackend'];
  /** The interface that carries the pods' traffic to other nodes. */
  readonly interfaceName: string;
  /** Where a pod's rules are waited for. */
  readonly policiesSocket: string;
  /** Resolves with the node's range when it has one. */
  readonly podCidr: (signal: AbortSignal, saysWait: SaysWait) => Promise<string>;
}

/** Writes the CNI configuration once the subnet is known: containerd calls the network ready when it is there. */
export function cniComponent(name: ComponentName, after: readonly ComponentName[], options: CniOptions): Component {
  const { paths, backend, interfaceName, policiesSocket, podCidr } = options;
  return task(name, after, async (signal, saysWait) => {
    const subnet = subnetOf(await podCidr(signal, saysWait), backend, linkMtu(interfaceName));
    await removeForeignBridge(subnet);
    writeFileIfChanged(join(ownConfDir(paths), '10-kagent.conflist'), cniConflist(subnet, policiesSocket), 0o600);
  });
}

/**
 * A node that was removed and joins again, or whose cluster was restored, has another range. The bridge of the one before
 * would keep every new pod from starting; the pods on it are no longer the cluster's, and the kubelet ends them.
 */
async function removeForeignBridge(subnet: Subnet): Promise<void> {
  if (!existsSync(`/sys/class/net/${bridgeName}`)) return;
  // Node does not list a bridge without ports.
  const addresses = await run('ip', ['-4', '-o', 'addr', 'show', 'dev', bridgeName]);
  if (addresses === '' || addresses.includes(` inet ${subnet.gateway}/`)) return;
  await run('ip', ['link', 'delete', bridgeName]);
  rmSync(ipamDir, { recursive: true, force: true });
}

function linkMtu(interfaceName: string): number {
  return Number(readFileSync(`/sys/class/net/${interfaceName}/mtu`, 'utf8'));
}

/**
 * A bridge per node. flanneld masquerades what leaves the cluster (`--ip-masq`), so the plugin does not; hairpin lets a
 * pod reach itself through its own Service. Before a pod is reached at ports of the host, and before it runs, its rules are in force.
 * @see CNI specification 1.0.0, plugins bridge, host-local, portmap of v1.9
 */
export function cniConflist(subnet: Subnet, policiesSocket: string): string {
  return JSON.stringify(
    {
      cniVersion: '1.0.0',
      name: networkName,
      plugins: [
        {
          type: 'bridge',
          bridge: bridgeName,
          isDefaultGateway: true,
          ipMasq: false,
          hairpinMode: true,
          mtu: subnet.mtu,
          ipam: {
            type: 'host-local',
            ranges: [[{ subnet: subnet.podCidr, gateway: subnet.gateway }]],
            dataDir: ipamDir,
          },
        },
        { type: 'network-policies', socket: policiesSocket },
        { type: 'portmap', capabilities: { portMappings: true } },
        { type: 'bandwidth', capabilities: { bandwidth: true } },
      ],
    },
    null,
    2,
  );
}
