/**
 * @module
 * A port on loopback behind which every kube-apiserver of the cluster is: the node's programs know this one address.
 * Knows: TCP, which server is alive. Leaves to others: TLS (it passes through), which servers there are (channel/).
 *
 *   kubelet ──▶ 127.0.0.1:6444 ──▶ the server that answered last; the next one when it does not
 */
import { createServer } from 'node:net';
import type { Agent } from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { conditionTracker } from '../../shared/component/component.ts';
import type { Component, ComponentName, ConditionTracker } from '../../shared/component/component.ts';
import { messageOf } from '../../shared/errors.ts';
import { listenOnPort } from '../../shared/listen/listen.ts';
import { httpsAgent, httpRequest, SteadyGet } from '../../shared/http/http.ts';
import type { Log } from '../../shared/log/log.ts';
import { untilNextRound } from '../../shared/rounds.ts';
import { dial, joinStreams } from '../../shared/streams/streams.ts';
import { Backends } from './backends.ts';
import type { Backend } from './backends.ts';
import { BalancerPortTakenError } from './errors.ts';
import { FallbackClients } from './fallback.ts';
import type { Fallback } from './fallback.ts';
import { readText } from '../../shared/files/files.ts';

export interface LoadBalancerOptions {
  readonly after: readonly ComponentName[];
  /** On 127.0.0.1; 0: any free one. */
  readonly port: number;
  /** `https://host:port` of every kube-apiserver that is known. */
  readonly apiserverUrls: () => readonly string[];
  readonly caPath: () => string;
  /** Who answers until a server is reached for the first time; after that, clients wait for a server. */
  readonly fallback?: Fallback;
  readonly log: Log;
}

export interface LoadBalancer extends Component {
  /** `https://127.0.0.1:6444` */
  url(): string;
}

const dialWithinMs = 1500;
/** Where another server can take over, a dead one is found within two and a half seconds. */
const probe = { everyMs: 1000, withinMs: 1500 };
/** Where none can, only connections that lead nowhere are to be ended. */
const probeAlone = { everyMs: 5000, withinMs: 5000 };

/** As long as somebody else answers, the server is to have its clients as soon as it is back. */
const probeReturn = { everyMs: 1000, withinMs: 5000 };

export function createLoadBalancer(options: LoadBalancerOptions): LoadBalancer {
  const { after, port } = options;
  const condition = conditionTracker();
  const balancing = new Balancing(options, condition);
  const stopping = new AbortController();
  let server: Server | undefined;
  let work = Promise.resolve();
  return {
    name: 'load-balancer',
    after,
    async start() {
      server = createServer({ noDelay: true }, (client) => void balancing.serve(client));
      await listenOnPort(server, { address: '127.0.0.1', port }, (cause) => new BalancerPortTakenError(port, cause));
      work = balancing.probe(stopping.signal);
      condition.set('True', 'Serving', '');
    },
    async stop() {
      stopping.abort();
      const stopped = server;
      server = undefined;
      balancing.endClients();
      if (stopped !== undefined) await new Promise<void>((resolve) => stopped.close(() => resolve()));
      await work;
      condition.set('False', 'Stopped', '');
    },
    health: () => condition.current(),
    url: () => `https://127.0.0.1:${(server?.address() as AddressInfo | null | undefined)?.port ?? port}`,
  };
}

/** Joins clients to servers, and finds out which of these are alive: by its clients, and by asking each. */
class Balancing {
  readonly #options: LoadBalancerOptions;
  readonly #condition: ConditionTracker;
  readonly #backends: Backends;
  readonly #fallback: FallbackClients;

  constructor(options: LoadBalancerOptions, condition: ConditionTracker) {
    this.#options = options;
    this.#condition = condition;
    this.#backends = new Backends(options.apiserverUrls, options.log);
    this.#fallback = new FallbackClients(options.fallback, options.log);
  }

  async serve(client: Socket): Promise<void> {
    client.on('error', () => {}); // its close says the same
    const ordered = this.#backends.inOrder();
    // Before the first server is found only the probes search for it: programs that start do not wait for each.
    const isHopeless = this.#fallback.isThere && ordered.every(({ isAlive }) => !isAlive);
    for (const backend of isHopeless ? [] : ordered) {
      try {
        const upstream = await dialServer(backend.url);
        this.#fallback.end();
        if (client.destroyed) return void upstream.destroy();
        this.#backends.serve(backend, client);
        await joinStreams(client, upstream);
        return;
      } catch (error) {
        this.#setAlive(backend, false, messageOf(error));
      }
    }
    this.#fallback.answer(client);
  }

  /** Until `signal`. */
  async probe(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#probeAll(signal).catch((error: unknown) => {
        this.#options.log.warn('servers are not probed', { error }); // no CA to read
      });
      await delay(probeAlone.everyMs, undefined, { signal }).catch(() => {}); // the stop
    }
  }

  endClients(): void {
    this.#backends.end();
    this.#fallback.endClients();
  }

  async #probeAll(signal: AbortSignal): Promise<void> {
    const probes = new Probes(readText(this.#options.caPath()));
    try {
      while (!signal.aborted) {
        const all = this.#backends.inOrder();
        const { everyMs, withinMs } = this.#rhythm(all.length);
        await Promise.all(
          all.map(async (backend) => {
            try {
              await probes.answered(backend.url, withinMs, signal);
              this.#setAlive(backend, true, '');
            } catch (error) {
              if (!signal.aborted) this.#setAlive(backend, false, messageOf(error));
            }
          }),
        );
        await delay(untilNextRound(everyMs, 0), undefined, { signal });
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      probes.close();
    }
  }

  #rhythm(serverCount: number): typeof probe {
    if (this.#fallback.isThere) return probeReturn;
    return serverCount > 1 ? probe : probeAlone;
  }

  #setAlive(backend: Backend, isAlive: boolean, reason: string): void {
    this.#backends.setAlive(backend, isAlive, reason);
    if (isAlive) this.#fallback.end();
    if (this.#backends.isAnyAlive()) this.#condition.set('True', 'Serving', '');
    else this.#condition.set('False', 'NoServer', `no kube-apiserver answers: ${this.#backends.urls().join(', ')}`);
  }
}

/** A connection to each server, kept from one probe to the next. */
class Probes {
  readonly #ca: string;
  readonly #gets = new Map<string, SteadyGet>();
  readonly #agent: Agent;

  constructor(ca: string) {
    this.#ca = ca;
    this.#agent = httpsAgent({ ca });
  }

  /** Resolves with any answer. */
  async answered(serverUrl: string, withinMs: number, signal: AbortSignal): Promise<void> {
    const url = `${serverUrl}/version`;
    const get = this.#gets.get(url) ?? new SteadyGet(url, { ca: this.#ca });
    this.#gets.set(url, get);
    const reply = await get.ask(AbortSignal.any([signal, AbortSignal.timeout(withinMs)]));
    if (reply === undefined) await httpRequest({ url, agent: this.#agent, timeoutMs: withinMs }, signal);
  }

  close(): void {
    this.#agent.destroy();
    for (const get of this.#gets.values()) get.close();
  }
}

function dialServer(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  return dial({ host: hostname, port: Number(port || 443), withinMs: dialWithinMs });
}

export { BalancerPortTakenError } from './errors.ts';
export type { Fallback } from './fallback.ts';
