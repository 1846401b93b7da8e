import type { ClusterSettings } from '../../shared/protocol/join.ts';
import { addressAt } from '../../shared/ipv4/ipv4.ts';

/** The addresses of this node's pods. */
export interface Subnet {
  /** `10.42.0.0/24` */
  readonly podCidr: string;
  /** Of the bridge: the first address of `podCidr`. */
  readonly gateway: string;
  readonly mtu: number;
}

type Backend = ClusterSettings['flannelBackend'];

/** What each backend puts around a packet, bytes. @see flannel v0.28 pkg/backend */
const overheadBytes: Readonly<Record<Backend, number>> = { vxlan: 50, 'host-gw': 0, 'wireguard-native': 80, none: 0 };

/** Known as soon as the node has its range: flanneld, which takes a second longer, would say the same. */
export function subnetOf(podCidr: string, backend: Backend, linkMtu: number): Subnet {
  return { podCidr, gateway: addressAt(podCidr, 1), mtu: linkMtu - overheadBytes[backend] };
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
