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
import { systemClock } from '../../shared/clock.ts';
import type { Clock } from '../../shared/clock.ts';
import type { KeyValue } from '../../shared/key-value/key-value.ts';
import type { Log } from '../../shared/log/log.ts';
import { Listeners } from '../../shared/listeners.ts';
import { NodeAddresses } from './addresses.ts';
import type { AddressRules, MovedAddress } from './addresses.ts';
import { NodeNames } from './names.ts';
import type { NameAttempt, NameRules } from './names.ts';
import { RevokedIdentities } from './revoked.ts';
import type { RevokedIdentity } from './revoked.ts';

export interface NodeIdentitiesOptions extends Omit<NameRules, 'onAttempt'>, Omit<AddressRules, 'onMoved'> {
  readonly store: KeyValue;
  readonly log: Log;
  readonly clock?: Clock;
}

export interface NodeIdentities {
  readonly names: NodeNames;
  readonly addresses: NodeAddresses;
  /** Reads what is known; before that nobody is. */
  load(): Promise<void>;
  /** Another server of the cluster has decided: as it is in the datastore. */
  heard(key: string, text: string | undefined): void;
  /** Another machine has asked for the name of a node, or got it. */
  onAttempt(listener: (attempt: NameAttempt) => void): void;
  /** The address of a node that is off is another one's now. */
  onMoved(listener: (moved: MovedAddress) => void): void;
  /** An identity is worth nothing any more; told are all that certificates may still be shown for. */
  onRevoked(listener: (revoked: readonly RevokedIdentity[]) => void): void;
  /** The node was removed: its name is free, and its certificates are worth nothing. */
  forget(nodeName: string): Promise<void>;
}

export function createNodeIdentities(options: NodeIdentitiesOptions): NodeIdentities {
  const { clock = systemClock } = options;
  const attempts = new Listeners<NameAttempt>();
  const moves = new Listeners<MovedAddress>();
  const revocations = new Listeners<readonly RevokedIdentity[]>();
  const revoked = new RevokedIdentities({ ...options, clock, onRevoked: (all) => revocations.tell(all) });
  const names = new NodeNames({ ...options, clock, revoked, onAttempt: (attempt) => attempts.tell(attempt) });
  const addresses = new NodeAddresses({ ...options, onMoved: (moved) => moves.tell(moved) });
  return {
    names,
    addresses,
    onAttempt: (listener) => attempts.add(listener),
    onMoved: (listener) => moves.add(listener),
    onRevoked: (listener) => revocations.add(listener),
    async load() {
      await revoked.load();
      await addresses.load();
    },
    heard(key, text) {
      addresses.heard(key, text);
      revoked.heard(key, text);
    },
    async forget(nodeName) {
      await names.forget(nodeName);
      await addresses.forget(nodeName);
    },
  };
}

/** Of the user by whose certificate a node's flannel asks. */
export const flannelUserPrefix = 'system:kagent:flannel:';

export { followIdentities } from './follow.ts';
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
