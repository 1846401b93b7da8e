import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { task, type Component } from '../../shared/component/component.ts';
import { readFileIfExists, writeFileIfChanged } from '../../shared/files/files.ts';
import { runPaths, type Paths } from '../../shared/paths.ts';
import { SubnetFileError } from './errors.ts';
import { parseSubnet, type Subnet } from './subnet.ts';

/** Our own folder: another program's configuration in /etc/cni/net.d does not decide about our pods. */
export function cniConfDir(paths: Paths): string {
  return join(paths.agent.etc, 'cni', 'net.d');
}

/** Which addresses are given to which pods; on the tmpfs of /run because a reboot ends every pod. */
export const ipamDir = '/run/kagent/cni';

export const bridgeName = 'cni0';

/** Writes the CNI configuration once the subnet is known: containerd calls the network ready when it is there. */
export function cniComponent(name: string, after: readonly string[], paths: Paths): Component {
  return task(name, after, async () => {
    const text = readFileIfExists(runPaths.flannelSubnet);
    if (text === undefined) throw new SubnetFileError(`${runPaths.flannelSubnet} is not there`);
    writeFileIfChanged(join(cniConfDir(paths), '10-kagent.conflist'), cniConflist(parseSubnet(text)), 0o644);
  });
}

/** For `flannelBackend: none`: a configuration of ours from an earlier start must not decide. */
export function removeConflist(paths: Paths): void {
  rmSync(join(cniConfDir(paths), '10-kagent.conflist'), { force: true });
}

/**
 * A bridge per node. flanneld masquerades what leaves the cluster (`--ip-masq`), so the plugin does not; hairpin lets a
 * pod reach itself through its own Service.
 * @see CNI specification 1.0.0, plugins bridge, host-local, portmap of v1.9
 */
export function cniConflist(subnet: Subnet): string {
  return JSON.stringify(
    {
      cniVersion: '1.0.0',
      name: 'kagent',
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
        { type: 'portmap', capabilities: { portMappings: true } },
        { type: 'bandwidth', capabilities: { bandwidth: true } },
      ],
    },
    null,
    2,
  );
}
