/** What a heartbeat means: conditions of the Node, an event for each component that was started again, a day of history. */
import type { Clock } from '../../shared/clock.ts';
import type { Heartbeat } from '../../shared/protocol/channel.ts';
import type { Leadership } from '../cluster/cluster.ts';
import type { Announcer } from './announcer.ts';
import { conditionsOf } from './conditions.ts';
import type { HeartbeatHistory } from './history.ts';
import type { NameClaims } from './name-claims.ts';
import type { PodNetwork } from './pod-network.ts';
import type { NodeRegistry } from './registry.ts';

export interface HeartbeatsOptions {
  readonly registry: NodeRegistry;
  readonly announcer: Announcer;
  readonly podNetwork: Pick<PodNetwork, 'conditionOf'>;
  readonly nameClaims: NameClaims;
  readonly history: HeartbeatHistory;
  readonly leadership: Pick<Leadership, 'isLeading'>;
  readonly clock: Clock;
}

export class Heartbeats {
  readonly #options: HeartbeatsOptions;

  constructor(options: HeartbeatsOptions) {
    this.#options = options;
  }

  /** @returns when it is in the history */
  async take(nodeName: string, heartbeat: Heartbeat, before: Heartbeat | undefined): Promise<void> {
    const { registry, announcer, history, leadership } = this.#options;
    registry.heard(nodeName);
    this.#tell(nodeName, heartbeat);
    const restarted = restartedSince(before, heartbeat);
    for (const { name, lastExit } of restarted) {
      const why = lastExit === undefined ? '' : ` after it ended (${lastExit})`;
      announcer.event(nodeName, {
        type: 'Warning',
        reason: 'ComponentRestarted',
        message: `${name} was restarted${why}`,
      });
    }
    if (leadership.isLeading()) await history.heartbeat(nodeName, heartbeat, restarted.length);
  }

  /** Something else than the heartbeat has changed that conditions tell of. */
  tellAgain(nodeName: string): void {
    const heartbeat = this.#options.registry.session(nodeName)?.heartbeat;
    if (heartbeat !== undefined) this.#tell(nodeName, heartbeat);
  }

  #tell(nodeName: string, heartbeat: Heartbeat): void {
    const { announcer, podNetwork, nameClaims, clock } = this.#options;
    announcer.setConditions(nodeName, [
      ...conditionsOf(heartbeat, clock.now(), podNetwork.conditionOf(nodeName)),
      ...nameClaims.conditionOf(nodeName),
    ]);
  }
}

function restartedSince(before: Heartbeat | undefined, now: Heartbeat): Heartbeat['children'] {
  const known = new Map(before?.children.map(({ name, restarts }) => [name, restarts]));
  return now.children.filter(({ name, restarts }) => restarts > (known.get(name) ?? Infinity));
}
