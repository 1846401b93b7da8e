import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import type { Clock } from '../../shared/clock.ts';
import type { KeyValue } from '../../shared/key-value/key-value.ts';
import type { Log } from '../../shared/log/log.ts';
import { NodeAliveError, NodeHeardLatelyError, NodeNameReservedError, NodeNameTakenError } from './errors.ts';
import { createNodePasswords } from './passwords.ts';
import type { NodePasswords } from './passwords.ts';
import type { RevokedIdentities } from './revoked.ts';

/** Whoever has the certificates of a node. */
export interface Peer {
  readonly nodeName: string;
  /** As its certificate says it; empty in one that a version before this made. */
  readonly uid: string;
}

/** Somebody wants to be this node. */
export interface Claim {
  readonly nodeName: string;
  readonly password: string;
  /** It says that the machine which had the name is gone. */
  readonly replace: boolean;
  /** The address it comes from. */
  readonly address: string;
  /** Its certificate; a token that an administrator made for this very name; any other token. */
  readonly by: 'certificate' | 'token-for-name' | 'token';
}

export interface NodeIdentity {
  readonly uid: string;
  /** Another machine had the name until now. */
  readonly replaced: boolean;
}

/** Another machine wanted the name of a node. */
export interface NameAttempt {
  readonly nodeName: string;
  readonly address: string;
  /** Why it did not get it; undefined: it did. */
  readonly refusal: string | undefined;
}

export interface NameRules {
  /** Whose name nobody else gets, whatever they show. */
  readonly ownNode: string | undefined;
  /** When this node was heard last, by the datastore's record; now, if it speaks. Milliseconds since 1970. */
  readonly heardAtMs: (nodeName: string) => { readonly isConnected: boolean; readonly ms: number };
  readonly onAttempt: (attempt: NameAttempt) => void;
}

/** So long nothing is heard of a machine before another one may say that it is gone, without an administrator. */
export const goneAfterMs = 3_600_000;

/** The one place that decides who is which node. Kept under `/kagent/nodes/<name>/`: the password's hash, and the uid. */
export class NodeNames {
  readonly #store: KeyValue;
  readonly #passwords: NodePasswords;
  readonly #revoked: RevokedIdentities;
  readonly #rules: NameRules;
  readonly #clock: Clock;
  readonly #log: Log;
  /** One claim at a time: what is decided is still so when it is written. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    options: NameRules & {
      readonly store: KeyValue;
      readonly revoked: RevokedIdentities;
      readonly clock: Clock;
      readonly log: Log;
    },
  ) {
    this.#store = options.store;
    this.#passwords = createNodePasswords(options.store);
    this.#revoked = options.revoked;
    this.#rules = options;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** Whether the peer is a node of this cluster, and the machine that has the name now. */
  async isMember(peer: Peer): Promise<boolean> {
    if (this.#revoked.has(peer) || !(await this.#passwords.knows(peer.nodeName))) return false;
    const kept = await this.#kept(peer.nodeName);
    return peer.uid === (kept?.uid ?? '') || (peer.uid === '' && kept?.hadNone === true);
  }

  /** Whether this machine has the name. */
  async isOwner(nodeName: string, password: string): Promise<boolean> {
    return (await this.#passwords.compare(nodeName, password)) === 'this';
  }

  /**
   * The name is the claimant's after this, or it throws.
   * @throws {NodeNameTakenError} @throws {NodeNameReservedError} @throws {NodeAliveError} @throws {NodeHeardLatelyError}
   */
  claim(claim: Claim): Promise<NodeIdentity> {
    const decided = this.#last.then(() => this.#decide(claim));
    this.#last = decided.catch(() => {});
    return decided;
  }

  /**
   * An administrator has deleted its Node (`kubectl delete node`): the next machine that joins under the name gets it, this
   * one or another. Until then this one keeps it, since a kubelet that starts again registers its Node again.
   */
  released(nodeName: string): Promise<void> {
    return this.#mark(nodeName, true);
  }

  /** The node is in the cluster (again): the name is its own. */
  held(nodeName: string): Promise<void> {
    return this.#mark(nodeName, false);
  }

  /** Its name is free; whoever still has its certificates is nobody. */
  async forget(nodeName: string): Promise<void> {
    await this.#revoke(nodeName);
    await this.#passwords.forget(nodeName);
  }

  async #decide(claim: Claim): Promise<NodeIdentity> {
    const { nodeName, password, by } = claim;
    const owner = await this.#passwords.compare(nodeName, password);
    if (owner === 'nobody') {
      if (nodeName === this.#rules.ownNode && by === 'token')
        throw this.#refused(claim, new NodeNameReservedError(nodeName));
      // Another server may have given the name to somebody else meanwhile.
      if (!(await this.#passwords.create(nodeName, password))) return await this.#decide(claim);
      return { uid: await this.#keepUid(nodeName, false), replaced: false };
    }
    if (owner === 'this') return { uid: await this.#keepUid(nodeName, true), replaced: false };
    this.#checkReplace(claim, (await this.#kept(nodeName))?.isReleased === true);
    await this.#revoke(nodeName);
    await this.#passwords.put(nodeName, password);
    this.#rules.onAttempt({ ...claim, refusal: undefined });
    return { uid: await this.#keepUid(nodeName, false), replaced: true };
  }

  /** Another machine has the name: only its key, an administrator, or a long silence lets somebody else have it. */
  #checkReplace(claim: Claim, isReleased: boolean): void {
    const { nodeName, replace, by } = claim;
    if (by === 'token-for-name' || (by === 'certificate' && replace)) return;
    if (nodeName === this.#rules.ownNode) throw this.#refused(claim, new NodeNameReservedError(nodeName));
    if (!replace && !isReleased) throw this.#refused(claim, new NodeNameTakenError(nodeName));
    const { isConnected, ms } = this.#rules.heardAtMs(nodeName);
    if (isConnected) throw this.#refused(claim, new NodeAliveError(nodeName));
    if (!isReleased && this.#clock.now() - ms < goneAfterMs)
      throw this.#refused(claim, new NodeHeardLatelyError(nodeName, ms + goneAfterMs));
  }

  #refused(claim: Claim, error: Error): Error {
    this.#log.warn('another machine wants the name of a node', { node: claim.nodeName, address: claim.address });
    this.#rules.onAttempt({ ...claim, refusal: error.message });
    return error;
  }

  #mark(nodeName: string, isReleased: boolean): Promise<void> {
    const marked = this.#last.then(async () => {
      const kept = await this.#kept(nodeName);
      if (kept === undefined || kept.isReleased === isReleased) return;
      await this.#store.put(keyOf(nodeName), JSON.stringify({ ...kept, isReleased } satisfies Kept));
    });
    this.#last = marked.catch(() => {});
    return marked;
  }

  async #keepUid(nodeName: string, hadNone: boolean): Promise<string> {
    const known = await this.#kept(nodeName);
    if (known !== undefined) return known.uid;
    const uid = randomUUID();
    await this.#store.put(keyOf(nodeName), JSON.stringify({ uid, hadNone, isReleased: false } satisfies Kept));
    return uid;
  }

  async #revoke(nodeName: string): Promise<void> {
    if (!(await this.#passwords.knows(nodeName))) return;
    const kept = await this.#kept(nodeName);
    if (kept?.hadNone !== false) await this.#revoked.add({ nodeName, uid: '' });
    if (kept === undefined) return;
    await this.#revoked.add({ nodeName, uid: kept.uid });
    await this.#store.delete(keyOf(nodeName));
  }

  async #kept(nodeName: string): Promise<Kept | undefined> {
    const text = await this.#store.get(keyOf(nodeName));
    return text === undefined ? undefined : Kept.parse(JSON.parse(text));
  }
}

const Kept = z.object({
  uid: z.string(),
  /** Its first certificates were made by a version that put no uid into them. */
  hadNone: z.boolean(),
  /** Its Node was deleted, and has not come back. */
  isReleased: z.boolean().default(false),
});
type Kept = z.infer<typeof Kept>;

function keyOf(nodeName: string): string {
  return `/kagent/nodes/${nodeName}/identity`;
}
