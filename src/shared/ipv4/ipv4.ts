/**
 * @module
 * Arithmetic of IPv4 ranges. Knows nothing of what they are for.
 */
export interface Range4 {
  readonly first: number;
  readonly last: number;
  readonly prefixLength: number;
}

/** @param cidr as `10.42.0.0/16`, already known to be well formed */
export function range4(cidr: string): Range4 {
  const [address = '', length = '32'] = cidr.split('/');
  const prefixLength = Number(length);
  const size = 2 ** (32 - prefixLength);
  const first = Math.floor(toNumber(address) / size) * size;
  return { first, last: first + size - 1, prefixLength };
}

/** The address `offset` places after the first of the range. */
export function addressAt(cidr: string, offset: number): string {
  return toText(range4(cidr).first + offset);
}

export function overlaps(a: string, b: string): boolean {
  const [one, other] = [range4(a), range4(b)];
  return one.first <= other.last && other.first <= one.last;
}

export function contains(cidr: string, address: string): boolean {
  const { first, last } = range4(cidr);
  const value = toNumber(address);
  return value >= first && value <= last;
}

function toNumber(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function toText(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}
