/** What the files of this room share: made once, and told of each other's changes. */
import type { Clock } from '../../shared/clock.ts';
import { Listeners } from '../../shared/listeners.ts';
import { keepAddresses } from './addresses.ts';
import type { AddressKeeper } from './addresses.ts';
import { createAnnouncer } from './announcer.ts';
import type { Announcer } from './announcer.ts';
import { NodeDirectory } from './directory.ts';
import { reopenStarted } from './drain.ts';
import { Heartbeats } from './heartbeats.ts';
import { HeartbeatHistory } from './history.ts';
import { LastConnections } from './last-connections.ts';
import { NameClaims } from './name-claims.ts';
import { createPodNetwork } from './pod-network.ts';
import type { PodNetwork } from './pod-network.ts';
import { exhaustedRanges } from './pod-ranges.ts';
import { SilenceWatch } from './silence.ts';
import type { NodesOptions, StreamFailed } from './types.ts';

export interface Parts extends NodesOptions {
  readonly clock: Clock;
  /** Aborted when the server ends. */
  readonly stopping: AbortController;
  readonly directory: NodeDirectory;
  readonly announcer: Announcer;
  readonly addresses: AddressKeeper;
  readonly reopening: ReturnType<typeof reopenStarted>;
  readonly podNetwork: PodNetwork;
  readonly nameClaims: NameClaims;
  readonly history: HeartbeatHistory;
  readonly connections: LastConnections;
  readonly heartbeats: Heartbeats;
  readonly silence: SilenceWatch;
  readonly streamFailed: Listeners<StreamFailed>;
}

export function partsOf(options: NodesOptions & { readonly clock: Clock }): Parts {
  const { kube, store, registry, identities, ownNode, podRanges, leadership, clock, log } = options;
  const directory = new NodeDirectory();
  const announcer = createAnnouncer({ kube, directory, leadership, clock, log });
  const helloOf = (name: string) => registry.hello(name);
  const addresses = keepAddresses({ kube, directory, helloOf, decided: identities.addresses, announcer, log });
  const reopening = reopenStarted({ kube, directory, helloOf, log });
  const podNetwork = createPodNetwork({
    sessions: () => registry.sessions(),
    node: (name) => directory.get(name),
    exhausted: () => (podRanges === undefined ? undefined : exhaustedRanges(podRanges, directory.all())),
    ownNode,
    leadership,
    clock,
    log,
  });
  const nameClaims = new NameClaims(clock);
  const history = new HeartbeatHistory(store, clock);
  const heartbeats = new Heartbeats({ registry, announcer, podNetwork, nameClaims, history, leadership, clock });
  const check = (name: string) => {
    if (leadership.isLeading()) for (const part of [announcer, addresses, reopening]) part.check(name);
  };
  directory.onChange(check);
  leadership.onChange(() => {
    for (const { metadata } of directory.all()) check(metadata.name);
  });
  directory.onPresence(({ name, isThere }) => {
    const noted = isThere ? identities.names.held(name) : identities.names.released(name);
    noted.catch((error: unknown) => log.warn('whose name it is was not noted', { node: name, error }));
  });
  options.servers.onChange(() => {
    for (const session of registry.sessions())
      session.send({ type: 'servers', servers: [...options.servers.current(session.reachedAt)] });
  });
  podNetwork.onChange((name) => heartbeats.tellAgain(name));
  return {
    ...options,
    stopping: new AbortController(),
    directory,
    announcer,
    addresses,
    reopening,
    podNetwork,
    nameClaims,
    history,
    connections: new LastConnections(store, clock),
    heartbeats,
    silence: new SilenceWatch({ directory, registry, announcer, nameClaims, clock }),
    streamFailed: new Listeners(),
  };
}

/** Of what is only for people to look at later: a failure is no reason to do without the rest. */
export function inBackground({ log }: Pick<Parts, 'log'>, written: Promise<void>): void {
  written.catch((error: unknown) => log.debug('node history not written', { error }));
}
