import { createHash, timingSafeEqual } from 'node:crypto';
import { NodeNameTakenError } from './errors.ts';

/** What the passwords are kept in: the datastore, so that every server knows them. */
export interface KeyValue {
  get(key: string): Promise<string | undefined>;
  /** One transaction: writes unless the key exists. @returns whether it wrote */
  create(key: string, value: string): Promise<boolean>;
}

export interface NodePasswords {
  /**
   * The first to come gets the name; later only who knows its password.
   * @throws {NodeNameTakenError}
   */
  claim(nodeName: string, password: string): Promise<void>;
}

/** Kept as hashes under `/kagent/nodes/<name>/password`. */
export function createNodePasswords(store: KeyValue): NodePasswords {
  return {
    async claim(nodeName, password) {
      const key = `/kagent/nodes/${nodeName}/password`;
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
