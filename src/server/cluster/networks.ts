import { networkInterfaces } from 'node:os';
import { flagsOf } from '../../shared/arguments/arguments.ts';
import { KagentError } from '../../shared/errors.ts';
import { addressAt, contains, overlaps, range4 } from '../../shared/ipv4/ipv4.ts';

interface ControllerManagerArgs {
  readonly kubeControllerManagerArg: readonly string[];
}

export class NetworkPlanError extends KagentError {
  readonly code = 'SERVER_NETWORK_PLAN';
  readonly fault = 'operator';
}

export class BindAddressError extends KagentError {
  readonly code = 'SERVER_BIND_ADDRESS';
  readonly fault = 'operator';
  constructor(address: string, own: readonly string[]) {
    super(`bind-address ${address} is no address of this host, which has ${own.join(', ')}`, {
      remedy: 'say one of these, or leave it out',
    });
  }
}

/** @throws {BindAddressError} @param own every address of this host */
export function checkBindAddress(address: string, own: readonly string[] = hostsOwn()): void {
  const isOwn = address === '0.0.0.0' || address.startsWith('127.') || own.includes(address);
  if (!isOwn) throw new BindAddressError(address, own);
}

function hostsOwn(): readonly string[] {
  const all = Object.values(networkInterfaces()).flatMap((infos) => infos ?? []);
  return all.filter(({ family }) => family === 'IPv4').map((info) => info.address);
}

/** Each node gets one of these out of the pods' range. */
const usualMaskSize = 24;

/** As kube-controller-manager is told by its own flag, else the usual one. */
export function nodeCidrMaskSize({ kubeControllerManagerArg = [] }: Partial<ControllerManagerArgs>) {
  const told = flagsOf(kubeControllerManagerArg).findLast(
    ({ name, value }) => /^node-cidr-mask-size(-ipv4)?$/.test(name) && /^\d+$/.test(value),
  );
  return Number(told?.value ?? usualMaskSize);
}

/** Room for `kubernetes`, DNS and some Services. */
const smallestServiceRange = 27;

type Plan = Partial<ControllerManagerArgs> & {
  readonly clusterCidr: string;
  readonly serviceCidr: string;
  readonly clusterDns?: string | undefined;
};

/** The DNS Service's address: the one that was set, or the tenth of the Services' range. */
export function clusterDnsOf(plan: Plan): string {
  return plan.clusterDns ?? addressAt(plan.serviceCidr, 10);
}

/** @throws {NetworkPlanError} if the ranges overlap, are too small, or an address is in the wrong one */
export function checkNetworks(plan: Plan & { readonly nodeIp: string | undefined }): void {
  const { clusterCidr, serviceCidr, nodeIp } = plan;
  if (overlaps(clusterCidr, serviceCidr)) {
    throw new NetworkPlanError(`cluster-cidr ${clusterCidr} and service-cidr ${serviceCidr} overlap`, {
      remedy: 'give them ranges apart, such as 10.42.0.0/16 and 10.43.0.0/16',
    });
  }
  const maskSize = nodeCidrMaskSize(plan);
  if (range4(clusterCidr).prefixLength > maskSize) {
    throw new NetworkPlanError(`cluster-cidr ${clusterCidr} is too small: each node takes a /${maskSize} of it`, {
      remedy: `make it at least a /${maskSize}, better a /16`,
    });
  }
  if (range4(serviceCidr).prefixLength > smallestServiceRange) {
    throw new NetworkPlanError(`service-cidr ${serviceCidr} is too small for a cluster`, {
      remedy: `make it at least a /${smallestServiceRange}, better a /16`,
    });
  }
  const dns = clusterDnsOf(plan);
  if (!contains(serviceCidr, dns)) {
    throw new NetworkPlanError(`cluster-dns ${dns} is not in service-cidr ${serviceCidr}`, {
      remedy: 'choose an address within it',
    });
  }
  for (const [name, cidr] of [
    ['cluster-cidr', clusterCidr],
    ['service-cidr', serviceCidr],
  ] as const) {
    if (nodeIp !== undefined && contains(cidr, nodeIp)) {
      throw new NetworkPlanError(`${name} ${cidr} holds this node's own address ${nodeIp}`, {
        remedy: 'choose a range that the network of this box does not use',
      });
    }
  }
}
