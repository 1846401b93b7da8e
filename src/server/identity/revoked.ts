import * as z from 'zod';
import type { Clock } from '../../shared/clock.ts';
import type { KeyValue } from '../../shared/key-value/key-value.ts';

const dayMs = 86_400_000;

/** How long a node's certificates are good: it renews them when half of it has passed, and after it too. */
export const nodeCertificateMs = 7 * dayMs;
/** Certificates without a uid were made by versions that made them for a year. */
const legacyCertificateMs = 366 * dayMs;

/** An identity that was taken away from its machine, which may still show its certificates. */
export interface RevokedIdentity {
  readonly nodeName: string;
  /** Empty: of certificates that have none. */
  readonly uid: string;
}

const Kept = z.object({
  nodeName: z.string(),
  uid: z.string(),
  /** Milliseconds since 1970; then no certificate of it is good any more. */
  untilMs: z.number(),
});

const prefix = '/kagent/revoked/';

/** Kept under `/kagent/revoked/<name>/<uid>` for as long as a certificate could live. */
export class RevokedIdentities {
  readonly #store: KeyValue;
  readonly #clock: Clock;
  readonly #onRevoked: (revoked: readonly RevokedIdentity[]) => void;
  readonly #all = new Map<string, z.infer<typeof Kept>>();

  constructor(options: {
    readonly store: KeyValue;
    readonly clock: Clock;
    readonly onRevoked: (revoked: readonly RevokedIdentity[]) => void;
  }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#onRevoked = options.onRevoked;
  }

  async load(): Promise<void> {
    const { entries } = await this.#store.list(prefix);
    for (const [key, text] of entries) {
      const kept = Kept.parse(JSON.parse(text));
      if (kept.untilMs > this.#clock.now()) this.#all.set(key, kept);
      else await this.#store.delete(key);
    }
    this.#tell();
  }

  /** Another server has written this. */
  heard(key: string, text: string | undefined): void {
    if (!key.startsWith(prefix) || text === undefined || this.#all.has(key)) return;
    this.#all.set(key, Kept.parse(JSON.parse(text)));
    this.#tell();
  }

  async add({ nodeName, uid }: RevokedIdentity): Promise<void> {
    const key = keyOf({ nodeName, uid });
    const untilMs = this.#clock.now() + (uid === '' ? legacyCertificateMs : nodeCertificateMs);
    const kept = { nodeName, uid, untilMs };
    await this.#store.put(key, JSON.stringify(kept));
    this.#all.set(key, kept);
    this.#tell();
  }

  has(identity: RevokedIdentity): boolean {
    return this.#all.has(keyOf(identity));
  }

  #tell(): void {
    this.#onRevoked([...this.#all.values()].map(({ nodeName, uid }) => ({ nodeName, uid })));
  }
}

function keyOf({ nodeName, uid }: RevokedIdentity): string {
  return `${prefix}${nodeName}/${uid}`;
}
