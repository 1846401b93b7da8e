import { rfc3339, systemClock } from '../shared/clock.ts';
import type { Clock } from '../shared/clock.ts';
import { isConflict } from './client.ts';
import type { KubeClient } from './client.ts';
import type { KubeObject } from './objects.ts';

export interface LeaseOptions {
  readonly kube: Pick<KubeClient, 'find' | 'create' | 'mergePatch'>;
  readonly namespace: string;
  readonly name: string;
  /** Who this is, among those that want it. */
  readonly identity: string;
  /** So long it stays somebody's who is not heard of. */
  readonly durationMs: number;
  readonly clock?: Clock;
}

interface LeaseObject extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
}

/**
 * A Lease of `coordination.k8s.io/v1`, which one of several has at a time. Clocks may differ: how long the holder has been silent
 * is measured here, from the last change that was seen, as client-go's leader election does.
 */
export class Lease {
  readonly #options: LeaseOptions;
  readonly #path: string;
  #seen = { record: '', atMs: 0 };

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#path = `/apis/coordination.k8s.io/v1/namespaces/${options.namespace}/leases`;
  }

  /** Takes it, or renews it. @returns who has it now @throws {KubeError} */
  async hold(signal?: AbortSignal): Promise<string> {
    const { kube, name, identity, durationMs, clock = systemClock } = this.#options;
    const lease = await kube.find<LeaseObject>(`${this.#path}/${name}`, signal);
    if (lease === undefined) return await this.#write(() => kube.create(this.#path, this.#object(0), signal));
    const { holderIdentity = '', renewTime = '', leaseTransitions = 0 } = lease.spec ?? {};
    const record = `${holderIdentity} ${renewTime}`;
    if (record !== this.#seen.record) this.#seen = { record, atMs: clock.monotonicMs() };
    const isOthers = holderIdentity !== '' && holderIdentity !== identity;
    if (isOthers && clock.monotonicMs() - this.#seen.atMs < durationMs) return holderIdentity;
    const patch = this.#object(leaseTransitions + (holderIdentity === identity ? 0 : 1), lease);
    return await this.#write(() => kube.mergePatch(`${this.#path}/${name}`, patch, signal));
  }

  /** The next one need not wait. */
  async release(signal?: AbortSignal): Promise<void> {
    const { kube, name, identity } = this.#options;
    const lease = await kube.find<LeaseObject>(`${this.#path}/${name}`, signal);
    if (lease?.spec?.holderIdentity !== identity) return;
    const { resourceVersion } = lease.metadata;
    await kube.mergePatch(
      `${this.#path}/${name}`,
      { metadata: { resourceVersion }, spec: { holderIdentity: '' } },
      signal,
    );
  }

  /** @returns who has it; empty where somebody was quicker */
  async #write(write: () => Promise<unknown>): Promise<string> {
    try {
      await write();
      return this.#options.identity;
    } catch (error) {
      if (isConflict(error)) return '';
      throw error;
    }
  }

  #object(leaseTransitions: number, before?: LeaseObject): object {
    const { namespace, name, identity, durationMs, clock = systemClock } = this.#options;
    const now = rfc3339(clock.now()).replace('Z', '000Z'); // MicroTime
    const isOwn = before?.spec?.holderIdentity === identity;
    const { resourceVersion } = before?.metadata ?? {};
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name, namespace, ...(resourceVersion !== undefined && { resourceVersion }) },
      spec: {
        holderIdentity: identity,
        leaseDurationSeconds: Math.ceil(durationMs / 1000),
        renewTime: now,
        leaseTransitions,
        ...(!isOwn && { acquireTime: now }),
      },
    };
  }
}
