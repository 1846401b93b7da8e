import { z } from 'zod';
import type { ClusterSettings } from '../../shared/protocol/join.ts';
import { SubnetFileError } from './errors.ts';

/** What flanneld found out for this node. */
export interface Subnet {
  /** This node's pods: `10.42.0.0/24`. */
  readonly podCidr: string;
  /** Of the bridge: the first address of `podCidr`. */
  readonly gateway: string;
  readonly mtu: number;
}

const SubnetEnv = z.object({ FLANNEL_SUBNET: z.cidrv4(), FLANNEL_MTU: z.coerce.number().int().positive() });

/** Reads `subnet.env`, where FLANNEL_SUBNET is the bridge's address with the prefix. @throws {SubnetFileError} */
export function parseSubnet(text: string): Subnet {
  const entries = text.split('\n').flatMap((line) => {
    const equals = line.indexOf('=');
    return equals < 0 ? [] : [[line.slice(0, equals), line.slice(equals + 1)]];
  });
  const parsed = SubnetEnv.safeParse(Object.fromEntries(entries));
  if (!parsed.success) throw new SubnetFileError(z.prettifyError(parsed.error));
  const [gateway = '', prefix = ''] = parsed.data.FLANNEL_SUBNET.split('/');
  return { podCidr: `${networkOf(gateway, Number(prefix))}/${prefix}`, gateway, mtu: parsed.data.FLANNEL_MTU };
}

function networkOf(address: string, prefix: number): string {
  const value = address.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0);
  const size = 2 ** (32 - prefix);
  const network = Math.floor(value / size) * size;
  return [24, 16, 8, 0].map((shift) => Math.floor(network / 2 ** shift) % 256).join('.');
}

const backendTypes = { vxlan: 'vxlan', 'host-gw': 'host-gw', 'wireguard-native': 'wireguard' } as const;

/** flannel's net-conf.json. @see flannel v0.28 Documentation/configuration.md */
export function flannelConfig({ clusterCidr, flannelBackend }: ClusterSettings): string {
  if (flannelBackend === 'none') throw new TypeError('flanneld does not run with the backend none');
  return JSON.stringify({
    Network: clusterCidr,
    EnableIPv4: true,
    EnableIPv6: false,
    Backend: { Type: backendTypes[flannelBackend] },
  });
}
