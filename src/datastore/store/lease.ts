/**
 * @module
 * Leases: granted, kept alive, expired or revoked with all their keys.
 * Time to live runs on the monotonic clock; what is on disk is the time of day at which a lease ends. Keeping a lease
 * alive writes once, ever: from then on the lease is known to be in use, and gets its whole time again after a restart.
 */
import type { Clock } from '../../shared/clock.ts';
import type { LeaseRow, WriteTarget } from './batch.ts';
import { LeaseExistsError, LeaseNotFoundError, LeaseTtlTooLargeError, NoSpaceError } from './errors.ts';
import { ExpiryQueue } from './expiry-queue.ts';
import { keyBytes } from './record.ts';
import type { LeaseId, LeaseInfo, LeaseStore, Revision } from './shapes.ts';

/** As etcd: one and a half of its default election timeout, in whole seconds. */
const minTtlSeconds = 2;
const maxTtlSeconds = 9_000_000_000;
/** An expired lease stays while its end cannot be written down. */
const fullDiskRetryMs = 1000;

export interface LeaseHost {
  readonly clock: Clock;
  /** @throws while nothing may change. */
  checkChange(): void;
  /** @throws while nothing may grow. */
  checkGrowth(): void;
  /** How to take back what is being changed now, should the disk be full. */
  onUndo(undo: () => void): void;
  write(): WriteTarget;
  /** Deletes those that exist, at one revision. */
  deleteKeys(keys: readonly string[]): void;
  /** Resolves when everything decided so far is on disk. */
  settled(): Promise<Revision>;
}

interface Lease {
  readonly id: LeaseId;
  readonly ttlSeconds: number;
  /** On the monotonic clock. */
  expiresAtMs: number;
  isKeptAlive: boolean;
  readonly keys: Set<string>;
}

export class Lessor implements LeaseStore {
  readonly #host: LeaseHost;
  readonly #leases = new Map<LeaseId, Lease>();
  readonly #expiry: ExpiryQueue<Lease>;

  constructor(host: LeaseHost) {
    this.#host = host;
    this.#expiry = new ExpiryQueue(host.clock, (lease) => this.#due(lease));
  }

  get size(): number {
    return this.#leases.size;
  }

  has(id: LeaseId): boolean {
    return this.#leases.has(id);
  }

  /** At start, before any key is attached; `due` ones go as soon as `start` is called. */
  restore(rows: readonly LeaseRow[]): void {
    const now = this.#host.clock.now();
    for (const { id, ttlSeconds, expiresAt, isKeptAlive } of rows) {
      // The time of day may have jumped: nobody gets more than what was granted.
      const restMs = isKeptAlive ? ttlSeconds * 1000 : Math.min(Math.max(expiresAt - now, 0), ttlSeconds * 1000);
      this.#add({ id, ttlSeconds, expiresAtMs: this.#host.clock.monotonicMs() + restMs, isKeptAlive, keys: new Set() });
    }
  }

  start(): void {
    this.#expiry.start();
  }

  stop(): void {
    this.#expiry.stop();
  }

  attach(id: LeaseId, key: string): void {
    this.#leases.get(id)?.keys.add(key);
  }

  /** 0n: no lease. */
  move(key: string, from: LeaseId, to: LeaseId): void {
    if (from === to) return;
    if (from !== 0n) this.#detach(from, key);
    if (to !== 0n) this.attach(to, key);
  }

  #detach(id: LeaseId, key: string): void {
    this.#leases.get(id)?.keys.delete(key);
  }

  async grant(id: LeaseId, ttlSeconds: number): Promise<{ readonly id: LeaseId; readonly ttlSeconds: number }> {
    this.#host.checkGrowth();
    if (ttlSeconds > maxTtlSeconds) throw new LeaseTtlTooLargeError(ttlSeconds);
    if (this.#leases.has(id)) throw new LeaseExistsError(id);
    const lease: Lease = {
      id: id === 0n ? this.#freeId() : id,
      ttlSeconds: Math.max(ttlSeconds, minTtlSeconds),
      expiresAtMs: 0,
      isKeptAlive: false,
      keys: new Set(),
    };
    this.#renew(lease);
    this.#add(lease);
    this.#save(lease);
    this.#host.onUndo(() => this.#leases.delete(lease.id));
    await this.#host.settled();
    return lease;
  }

  async revoke(id: LeaseId): Promise<Revision> {
    this.#host.checkChange();
    return this.#end(id);
  }

  async keepAlive(id: LeaseId): Promise<number> {
    const lease = this.#leases.get(id);
    if (lease === undefined) return 0;
    this.#renew(lease);
    if (!lease.isKeptAlive) {
      lease.isKeptAlive = true;
      this.#save(lease);
      this.#host.onUndo(() => (lease.isKeptAlive = false));
      await this.#host.settled();
    }
    return lease.ttlSeconds;
  }

  async timeToLive(id: LeaseId, withKeys: boolean): Promise<LeaseInfo> {
    await this.#settledOrUndone();
    const lease = this.#leases.get(id);
    if (lease === undefined) return { id, grantedTtlSeconds: 0, ttlSeconds: -1, keys: [] };
    const restMs = lease.expiresAtMs - this.#host.clock.monotonicMs();
    return {
      id,
      grantedTtlSeconds: lease.ttlSeconds,
      ttlSeconds: Math.max(Math.floor(restMs / 1000), 0),
      keys: withKeys ? [...lease.keys].toSorted().map(keyBytes) : [],
    };
  }

  async list(): Promise<readonly LeaseId[]> {
    await this.#settledOrUndone();
    return [...this.#leases.values()].toSorted((a, b) => a.expiresAtMs - b.expiresAtMs).map(({ id }) => id);
  }

  /** What is asked about is on disk, or was taken back. */
  async #settledOrUndone(): Promise<void> {
    await this.#host.settled().catch((error: unknown) => {
      if (!(error instanceof NoSpaceError)) throw error;
    });
  }

  async #end(id: LeaseId): Promise<Revision> {
    const lease = this.#leases.get(id);
    if (lease === undefined) throw new LeaseNotFoundError(id);
    this.#leases.delete(id);
    this.#host.write().dropLease(id);
    this.#host.onUndo(() => this.#leases.set(id, lease));
    this.#host.deleteKeys([...lease.keys].toSorted());
    return this.#host.settled();
  }

  #due(lease: Lease): void {
    if (this.#leases.get(lease.id) !== lease) return;
    this.#end(lease.id).catch((error: unknown) => {
      // A failing writer tells the store itself; here there is nobody to answer.
      if (!(error instanceof NoSpaceError)) return;
      lease.expiresAtMs = this.#host.clock.monotonicMs() + fullDiskRetryMs;
      this.#expiry.add(lease);
    });
  }

  #add(lease: Lease): void {
    this.#leases.set(lease.id, lease);
    this.#expiry.add(lease);
  }

  #renew(lease: Lease): void {
    lease.expiresAtMs = this.#host.clock.monotonicMs() + lease.ttlSeconds * 1000;
  }

  #save({ id, ttlSeconds, expiresAtMs, isKeptAlive }: Lease): void {
    const { clock } = this.#host;
    const expiresAt = clock.now() + expiresAtMs - clock.monotonicMs();
    this.#host.write().saveLease({ id, ttlSeconds, expiresAt, isKeptAlive });
  }

  #freeId(): LeaseId {
    for (;;) {
      const id = BigInt(1 + Math.floor(Math.random() * (Number.MAX_SAFE_INTEGER - 1))) as LeaseId;
      if (!this.#leases.has(id)) return id;
    }
  }
}
