import { contains } from '../../shared/ipv4/ipv4.ts';

/** A row of the kernel's main routing table. */
export interface Route {
  readonly device: string;
  readonly cidr: string;
  /** Absent for a network that is reached directly. */
  readonly gateway: string | undefined;
  readonly metric: number;
}

const rejects = 0x200; // RTF_REJECT: `unreachable default`

/** /proc/net/route; its addresses are little-endian hexadecimal. */
export function routesOf(text: string): readonly Route[] {
  const rows = text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/));
  return rows.flatMap(([device = '', destination = '', gateway = '', flags = '0', , , metric = '', mask = '']) => {
    if (mask === '' || (Number.parseInt(flags, 16) & rejects) !== 0) return [];
    const bits = Number.parseInt(mask, 16).toString(2).replaceAll('0', '').length;
    return [
      {
        device,
        cidr: `${addressOf(destination)}/${bits}`,
        gateway: gateway === '00000000' ? undefined : addressOf(gateway),
        metric: Number(metric),
      },
    ];
  });
}

/** The one with the lowest metric. */
export function defaultRoute(routes: readonly Route[]): Route | undefined {
  return routes.filter(isDefault).toSorted((a, b) => a.metric - b.metric)[0];
}

export function isDefault({ cidr }: Route): boolean {
  return cidr === '0.0.0.0/0';
}

/** Whether the kernel sends a packet for this address anywhere. */
export function isRouted(address: string, routes: readonly Route[]): boolean {
  return routes.some(({ cidr }) => contains(cidr, address));
}

function addressOf(hex: string): string {
  const bytes = hex.match(/../g) ?? [];
  return bytes
    .toReversed()
    .map((byte) => Number.parseInt(byte, 16))
    .join('.');
}
