import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { addressAt } from '../../shared/ipv4/ipv4.ts';
import type { ServingNames } from './certificates.ts';

/** Every name and address by which this server is reached: pods use the first Service address and its DNS names. */
export function apiserverNames(options: {
  readonly serviceCidr: string;
  readonly clusterDomain: string;
  readonly advertiseAddress: string;
  readonly tlsSans: readonly string[];
}): ServingNames {
  const { serviceCidr, clusterDomain, advertiseAddress, tlsSans } = options;
  const dnsNames = [
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    `kubernetes.default.svc.${clusterDomain}`,
    'localhost',
    hostname(),
    ...tlsSans.filter((name) => isIP(name) === 0),
  ];
  const ipAddresses = [
    addressAt(serviceCidr, 1),
    '127.0.0.1',
    '::1',
    advertiseAddress,
    ...tlsSans.filter((name) => isIP(name) !== 0),
  ];
  return { dnsNames: [...new Set(dnsNames)], ipAddresses: [...new Set(ipAddresses)] };
}
