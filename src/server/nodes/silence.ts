/** Nodes that nobody has heard of for a while; looked for now and then, so that a restart of the server finds them too. */
import type { Clock } from '../../shared/clock.ts';
import { silenceMs } from '../../shared/protocol/channel.ts';
import type { Announcer } from './announcer.ts';
import { conditionsOfSilence } from './conditions.ts';
import type { NodeDirectory } from './directory.ts';
import type { NameClaims } from './name-claims.ts';
import type { NodeRegistry } from './registry.ts';

/** An agent that lost its connection is back in a moment; only then is it worth a word. */
const graceMs = silenceMs;

export interface SilenceOptions {
  readonly directory: NodeDirectory;
  readonly registry: NodeRegistry;
  readonly announcer: Pick<Announcer, 'setConditions'>;
  readonly nameClaims: NameClaims;
  readonly clock: Clock;
}

export class SilenceWatch {
  readonly #options: SilenceOptions;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SilenceOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => this.#tell(), silenceMs / 3).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tell(): void {
    const { directory, registry, announcer, nameClaims, clock } = this.#options;
    for (const { metadata, status } of directory.all()) {
      const { name } = metadata;
      if (registry.session(name) !== undefined || clock.now() - registry.heardAtMs(name).ms < graceMs) continue;
      const types = (status?.conditions ?? []).map((one) => one.type);
      announcer.setConditions(name, [
        ...conditionsOfSilence('no connection from this node', types),
        ...nameClaims.conditionOf(name),
      ]);
    }
  }
}
