import { createHash, timingSafeEqual } from 'node:crypto';
import type { KeyValue } from '../../shared/key-value/key-value.ts';

export interface NodePasswords {
  /** Whether the name is a joined node's. */
  knows(nodeName: string): Promise<boolean>;
  /** Who has the name: nobody, this machine, or another one. */
  compare(nodeName: string, password: string): Promise<'nobody' | 'this' | 'other'>;
  put(nodeName: string, password: string): Promise<void>;
  /** @returns false where the name is somebody's */
  create(nodeName: string, password: string): Promise<boolean>;
  forget(nodeName: string): Promise<void>;
}

/** Kept as hashes under `/kagent/nodes/<name>/password`. */
export function createNodePasswords(store: KeyValue): NodePasswords {
  const keyOf = (nodeName: string) => `/kagent/nodes/${nodeName}/password`;
  return {
    knows: async (nodeName) => (await store.get(keyOf(nodeName))) !== undefined,
    async compare(nodeName, password) {
      const known = await store.get(keyOf(nodeName));
      if (known === undefined) return 'nobody';
      return sameHash(known, hashOf(password)) ? 'this' : 'other';
    },
    create: (nodeName, password) => store.create(keyOf(nodeName), hashOf(password)),
    put: (nodeName, password) => store.put(keyOf(nodeName), hashOf(password)),
    async forget(nodeName) {
      await store.delete(keyOf(nodeName));
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
