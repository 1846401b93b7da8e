/** Which machines the stories are played on: not every combination, but each value of each column at least once. */
import type { ClusterSettings } from '../../src/shared/protocol/join.ts';
import type { ImageOptions } from './image.ts';
import type { Cards } from './cards.ts';

export interface Row {
  readonly name: string;
  readonly image: ImageOptions;
  readonly cards: Cards;
  /** How pods of the two machines reach each other. */
  readonly backend: Exclude<ClusterSettings['flannelBackend'], 'none'>;
  /** 1: alone, without the stories that take another machine. */
  readonly machines: 1 | 2;
  /** When kagent has gone, a cluster of `kagent lab` runs there too. */
  readonly lab?: true;
}

const plain = { arch: 'amd64', kernel: 'user-mode', docker: false, hardened: false } as const;
const debian12 = { ...plain, suite: 'bookworm' } as const;
const debian13 = { ...plain, suite: 'trixie' } as const;

export const rows: readonly Row[] = [
  {
    name: 'debian-12-plain',
    image: { ...debian12, network: 'ifupdown', firewall: 'none' },
    cards: 'one',
    backend: 'vxlan',
    machines: 2,
    lab: true,
  },
  {
    name: 'debian-13-two-cards-ufw-docker',
    image: { ...debian13, network: 'networkd', firewall: 'ufw', docker: true },
    cards: 'two',
    backend: 'vxlan',
    machines: 2,
  },
  {
    name: 'debian-12-no-default-route-firewalld',
    image: { ...debian12, network: 'NetworkManager', firewall: 'firewalld' },
    cards: 'no-default-route',
    backend: 'host-gw',
    machines: 2,
  },
  {
    name: 'debian-13-ipv6-link-local-nftables',
    image: { ...debian13, network: 'NetworkManager', firewall: 'nftables' },
    cards: 'ipv6-link-local',
    backend: 'wireguard-native',
    machines: 2,
  },
  {
    name: 'debian-13-hardened',
    image: { ...debian13, network: 'networkd', firewall: 'none', hardened: true },
    cards: 'one',
    backend: 'vxlan',
    machines: 1,
  },
  {
    name: 'debian-13-arm64',
    image: { ...debian13, arch: 'arm64', kernel: 'distribution', network: 'networkd', firewall: 'none' },
    cards: 'one',
    backend: 'vxlan',
    machines: 1,
  },
];

export interface Choice {
  /** `KAGENT_MACHINES`: names of rows with commas between; all without it. */
  readonly wanted?: string | undefined;
  /** `KAGENT_MACHINES_ALONE`: one machine of each, for a host that has no processors for two. */
  readonly isAlone?: boolean;
  /** `KAGENT_MACHINES_EMULATED`: with Debian's own kernel on emulated processors. */
  readonly isEmulated?: boolean;
}

export function chosenRows({ wanted = '', isAlone = false, isEmulated = false }: Choice): readonly Row[] {
  const names = wanted === '' ? rows.map(({ name }) => name) : wanted.split(',');
  return names.map((name) => {
    const row = rows.find((one) => one.name === name);
    if (row === undefined) throw new Error(`there is no machine "${name}": ${rows.map((one) => one.name).join(', ')}`);
    return {
      ...row,
      ...(isAlone && { machines: 1 }),
      ...(isEmulated && { image: { ...row.image, kernel: 'distribution' } }),
    };
  });
}
