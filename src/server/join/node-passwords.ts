import { createHash, timingSafeEqual } from 'node:crypto';
import { NodeNameTakenError, NodeNotJoinedError } from './errors.ts';
import type { KeyValue } from '../../shared/key-value/key-value.ts';

export interface NodePasswords {
  /**
   * The first to come gets the name; later only who knows its password.
   * @throws {NodeNameTakenError}
   */
  claim(nodeName: string, password: string): Promise<void>;
  /** For a node that has joined before. @throws {NodeNotJoinedError} @throws {NodeNameTakenError} */
  verify(nodeName: string, password: string): Promise<void>;
  /** Whether the name is a joined node's. */
  knows(nodeName: string): Promise<boolean>;
  /** Another machine takes the name over. */
  replace(nodeName: string, password: string): Promise<void>;
}

/** Kept as hashes under `/kagent/nodes/<name>/password`. */
export function createNodePasswords(store: KeyValue): NodePasswords {
  const keyOf = (nodeName: string) => `/kagent/nodes/${nodeName}/password`;
  return {
    knows: async (nodeName) => (await store.get(keyOf(nodeName))) !== undefined,
    replace: (nodeName, password) => store.put(keyOf(nodeName), hashOf(password)),
    async verify(nodeName, password) {
      const known = await store.get(keyOf(nodeName));
      if (known === undefined) throw new NodeNotJoinedError(nodeName);
      if (!sameHash(known, hashOf(password))) throw new NodeNameTakenError(nodeName);
    },
    async claim(nodeName, password) {
      const key = keyOf(nodeName);
      const hash = hashOf(password);
      const known = (await store.get(key)) ?? ((await store.create(key, hash)) ? hash : await store.get(key));
      if (known === undefined || !sameHash(known, hash)) throw new NodeNameTakenError(nodeName);
    },
  };
}

/** Plain SHA-256 is enough: nodes make their passwords from 256 random bits, which nobody guesses. */
function hashOf(password: string): string {
  return createHash('sha256').update(password).digest('hex');
}

function sameHash(left: string, right: string): boolean {
  return left.length === right.length && timingSafeEqual(Buffer.from(left), Buffer.from(right));
}
