/** Who is in the etcd: servers are let in, get their vote when they have caught up, and are taken out. */
import { conditionTracker } from '../../shared/component/component.ts';
import type { Component } from '../../shared/component/component.ts';
import { messageOf } from '../../shared/errors.ts';
import type { Log } from '../../shared/log/log.ts';
import { pause } from '../../shared/pause.ts';
import type { NewMember } from '../../shared/protocol/servers.ts';
import type { EtcdMember, MembersClient } from '../../datastore/datastore.ts';
import { MemberWaitsError } from './errors.ts';
import { serverOf } from './member.ts';

export interface EtcdMembersOptions {
  readonly client: MembersClient;
  /** Of this server's own member. */
  readonly ownName: string;
  readonly timing?: MembersTiming;
  readonly log: Log;
}

export interface MembersTiming {
  /** Between two looks while somebody waits for a vote. */
  readonly everyMs: number;
  /** And while nobody does. */
  readonly restMs: number;
  /** So long a server may take to catch up; then it makes room for the next one. */
  readonly patienceMs: number;
}

const usualTiming: MembersTiming = { everyMs: 500, restMs: 30_000, patienceMs: 300_000 };

export interface EtcdMembers extends Component {
  /** Lets a server in, or finds that it is. @returns as etcd's `--initial-cluster` @throws {MemberWaitsError} */
  add(wanted: NewMember): Promise<string>;
  /** The server has left the cluster. */
  removeServer(nodeName: string): Promise<void>;
}

export function createEtcdMembers(options: EtcdMembersOptions): EtcdMembers {
  const { client, timing = usualTiming, log } = options;
  const condition = conditionTracker();
  const stopping = new AbortController();
  const entry = new Entry(client, log);
  const votes = new Votes(client, timing, log);
  let wake = Promise.withResolvers<void>();
  let work = Promise.resolve();

  const serve = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      let isAwaited = true;
      try {
        isAwaited = await votes.give();
        condition.set('True', 'Watching', '');
      } catch (error) {
        if (signal.aborted) return;
        condition.set('False', 'NotAnswering', messageOf(error));
        log.debug('members of the etcd are not known', { error });
      }
      wake = Promise.withResolvers();
      await Promise.race([wake.promise, pause(isAwaited ? timing.everyMs : timing.restMs, signal)]);
    }
  };

  return {
    name: 'etcd-members',
    after: ['datastore'],
    async start() {
      condition.set('True', 'Watching', '');
      work = serve(stopping.signal);
    },
    async stop() {
      stopping.abort();
      wake.resolve();
      await client.close();
      await work;
      condition.set('False', 'Stopped', '');
    },
    health: () => condition.current(),
    async add(wanted) {
      const members = await entry.letIn(wanted);
      wake.resolve();
      return members;
    },
    removeServer: (nodeName) => removeServer(options, nodeName),
  };
}

/** One server comes in at a time. */
class Entry {
  readonly #client: MembersClient;
  readonly #log: Log;
  #last: Promise<unknown> = Promise.resolve();

  constructor(client: MembersClient, log: Log) {
    this.#client = client;
    this.#log = log;
  }

  letIn(wanted: NewMember): Promise<string> {
    const added = this.#last
      .then(() => this.#add(wanted))
      .catch((error: unknown) => {
        throw new MemberWaitsError(messageOf(error), error);
      });
    this.#last = added.catch(() => {});
    return added;
  }

  async #add({ name, peerUrl }: NewMember): Promise<string> {
    const known = (await this.#client.list()).find(({ peerUrls }) => peerUrls.includes(peerUrl));
    // It has asked before, and died before it started; or it has lost its disk, and is another one.
    const isIn = known !== undefined && (known.name === '' || known.name === name);
    if (known !== undefined && !isIn) await this.#client.remove(known.id);
    const all = isIn ? await this.#client.list() : await this.#client.add(peerUrl);
    this.#log.info('a server joins', { member: name, peer: peerUrl });
    return all.flatMap((one) => one.peerUrls.map((url) => `${url === peerUrl ? name : one.name}=${url}`)).join(',');
  }
}

/** Who has come in votes when it has what the others have. */
class Votes {
  readonly #client: MembersClient;
  readonly #timing: MembersTiming;
  readonly #log: Log;
  /** When each was seen first that has no vote yet. */
  readonly #sinceMs = new Map<bigint, number>();

  constructor(client: MembersClient, timing: MembersTiming, log: Log) {
    this.#client = client;
    this.#timing = timing;
    this.#log = log;
  }

  /** @returns whether somebody waits for a vote */
  async give(): Promise<boolean> {
    const learners = (await this.#client.list()).filter(({ isLearner }) => isLearner);
    for (const id of this.#sinceMs.keys()) if (!learners.some((one) => one.id === id)) this.#sinceMs.delete(id);
    for (const learner of learners) await this.#promote(learner);
    return learners.length > 0;
  }

  async #promote({ id, name, peerUrls }: EtcdMember): Promise<void> {
    const sinceMs = this.#sinceMs.get(id) ?? performance.now();
    this.#sinceMs.set(id, sinceMs);
    try {
      await this.#client.promote(id);
      this.#log.info('a server has its vote', { member: name });
    } catch (error) {
      // It has not caught up, has not started, or another server was quicker.
      this.#log.debug('a server has no vote yet', { member: name, error });
      if (performance.now() - sinceMs < this.#timing.patienceMs) return;
      this.#log.warn('a server that never caught up is taken out', { member: name, peers: peerUrls, error });
      await this.#client.remove(id);
    }
  }
}

async function removeServer({ client, ownName, log }: EtcdMembersOptions, nodeName: string): Promise<void> {
  for (const { id, name } of await client.list()) {
    if (name === ownName || serverOf(name) !== nodeName) continue;
    await client.remove(id);
    log.info('a server was taken out', { member: name });
  }
}
