/**
 * @module
 * Which machine is which node: who has a name, which addresses are whose, whose certificates are worth nothing any more.
 * Everything is decided here and kept in the datastore; what a node says of itself is a claim.
 * Knows: names, passwords, uids, addresses. Leaves to others: tokens and requests (join/), certificates (pki/), who is
 * connected (nodes/), where the refused are refused (control-plane/, api/).
 *
 *   join ──claim──▶ name and uid, in every certificate of the node ──▶ api, kube-apiserver
 *   join, hello ──claim──▶ addresses ──▶ serving certificate, tunnel, Node
 */
import { systemClock, type Clock } from '../../shared/clock.ts';
import type { KeyValue } from '../../shared/key-value/key-value.ts';
import type { Log } from '../../shared/log/log.ts';
import { NodeAddresses, type AddressRules } from './addresses.ts';
import { NodeNames, type NameRules } from './names.ts';
import { RevokedIdentities, type RevokedIdentity } from './revoked.ts';

export interface NodeIdentitiesOptions extends NameRules, AddressRules {
  readonly store: KeyValue;
  /** Told whenever an identity is worth nothing any more: all that certificates may still be shown for. */
  readonly onRevoked: (revoked: readonly RevokedIdentity[]) => void;
  readonly log: Log;
  readonly clock?: Clock;
}

export interface NodeIdentities {
  readonly names: NodeNames;
  readonly addresses: NodeAddresses;
  /** Reads what is known; before that nobody is. */
  load(): Promise<void>;
  /** The node was removed: its name is free, and its certificates are worth nothing. */
  forget(nodeName: string): Promise<void>;
}

export function createNodeIdentities(options: NodeIdentitiesOptions): NodeIdentities {
  const { clock = systemClock } = options;
  const revoked = new RevokedIdentities({ ...options, clock });
  const names = new NodeNames({ ...options, clock, revoked });
  const addresses = new NodeAddresses(options);
  return {
    names,
    addresses,
    async load() {
      await revoked.load();
      await addresses.load();
    },
    async forget(nodeName) {
      await names.forget(nodeName);
      await addresses.forget(nodeName);
    },
  };
}

/** Of the user by whose certificate a node's flannel asks. */
export const flannelUserPrefix = 'system:kagent:flannel:';

export { nodeCertificateMs } from './revoked.ts';
export type { RevokedIdentity } from './revoked.ts';
export type { Claim, NameAttempt, NodeIdentity, NodeNames, Peer } from './names.ts';
export type { AddressClaim, DecidedAddresses, NodeAddresses } from './addresses.ts';
export {
  NodeAddressInvalidError,
  NodeAddressReservedError,
  NodeAddressTakenError,
  NodeAliveError,
  NodeHeardLatelyError,
  NodeNameReservedError,
  NodeNameTakenError,
  NodeNotJoinedError,
} from './errors.ts';
