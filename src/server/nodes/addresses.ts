import { messageOf } from '../../shared/errors.ts';
import type { Log } from '../../shared/log/log.ts';
import type { Hello } from '../../shared/protocol/channel.ts';
import type { DecidedAddresses, NodeIdentities } from '../identity/identity.ts';
import type { KubeClient } from '../../kube/kube.ts';
import type { Announcer } from './announcer.ts';
import type { NodeDirectory } from './directory.ts';

const uninitialized = 'node.cloudprovider.kubernetes.io/uninitialized';

export interface AddressKeeper {
  /** A node has said where it is. @returns why it does not have the address it says it has */
  settle(nodeName: string, hello: Hello, seenAs: string): Promise<string | undefined>;
  check(nodeName: string): void;
  /** The address is another node's now: whoever asks for this one must not be led there. Its kubelet, when it is back, says where it is. */
  take(nodeName: string, address: string): void;
}

/**
 * Addresses a kubelet cannot say by itself: those of `--node-external-ip` and the names. Its node registers as with an
 * external cloud provider, waits with a taint, and here its addresses are written and the taint is taken away.
 * @see Kubernetes "Cloud Controller Manager", node controller
 */
export function keepAddresses(options: {
  readonly kube: KubeClient;
  readonly directory: NodeDirectory;
  readonly helloOf: (nodeName: string) => Hello | undefined;
  readonly decided: Pick<NodeIdentities['addresses'], 'of' | 'decide'>;
  readonly announcer: Pick<Announcer, 'event'>;
  readonly log: Log;
}): AddressKeeper {
  const { kube, directory, helloOf, decided, announcer, log } = options;
  const write = async (nodeName: string, addresses: readonly NodeAddress[]): Promise<void> => {
    const path = `/api/v1/nodes/${nodeName}`;
    await kube.mergePatch(`${path}/status`, { status: { addresses } });
    const taints = (directory.get(nodeName)?.spec?.taints ?? []).filter((taint) => taint.key !== uninitialized);
    await kube.mergePatch(path, { spec: { taints } });
  };
  return {
    async settle(nodeName, { internalIps, externalIps }, seenAs) {
      if (sameAddresses(decided.of(nodeName), { internalIps, externalIps })) return undefined;
      try {
        await decided.decide({ nodeName, internalIps, externalIps, seenAs });
        return undefined;
      } catch (error) {
        const message = messageOf(error);
        // Its first condition is no change, of which an event would tell.
        announcer.event(nodeName, { type: 'Warning', reason: 'AddressRefused', message });
        log.warn('a node does not have the address it says it has', { node: nodeName, message });
        return message;
      }
    },
    take(nodeName, address) {
      const known = directory.get(nodeName)?.status?.addresses ?? [];
      const kept = known.filter((one) => one.address !== address);
      if (kept.length === known.length) return;
      kube
        .mergePatch(`/api/v1/nodes/${nodeName}/status`, { status: { addresses: kept } })
        .catch((error: unknown) =>
          log.warn('an address was not taken from a Node', { node: nodeName, address, error }),
        );
    },
    check(nodeName) {
      const hello = helloOf(nodeName);
      const node = directory.get(nodeName);
      if (hello === undefined || node === undefined || !needsAddresses(hello)) return;
      const wanted = addressesOf(nodeName, hello, decided.of(nodeName));
      const isSame = JSON.stringify(node.status?.addresses) === JSON.stringify(wanted);
      const isWaiting = node.spec?.taints?.some((taint) => taint.key === uninitialized) ?? false;
      if (isSame && !isWaiting) return;
      write(nodeName, wanted).catch((error: unknown) =>
        log.debug('node addresses not written', { node: nodeName, error }),
      );
    },
  };
}

function sameAddresses(known: DecidedAddresses | undefined, { internalIps, externalIps }: DecidedAddresses): boolean {
  return (
    known !== undefined &&
    JSON.stringify([known.internalIps, known.externalIps]) === JSON.stringify([internalIps, externalIps])
  );
}

function needsAddresses(hello: Hello): boolean {
  return hello.externalIps.length + hello.internalDns.length + hello.externalDns.length > 0;
}

interface NodeAddress {
  readonly type: string;
  readonly address: string;
}

/** Names are what the node says; no connection goes by them. */
function addressesOf(
  nodeName: string,
  hello: Hello,
  { internalIps, externalIps }: DecidedAddresses = { internalIps: [], externalIps: [] },
): readonly NodeAddress[] {
  const of = (type: string, values: readonly string[]) => values.map((address) => ({ type, address }));
  return [
    ...of('InternalIP', internalIps),
    ...of('ExternalIP', externalIps),
    ...of('InternalDNS', hello.internalDns),
    ...of('ExternalDNS', hello.externalDns),
    ...of('Hostname', [nodeName]),
  ];
}
