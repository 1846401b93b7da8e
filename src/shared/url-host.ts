import { isIPv6 } from 'node:net';

/** A host as URLs have it: `[::1]`, and names and other addresses as they are. */
export function urlHost(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}
