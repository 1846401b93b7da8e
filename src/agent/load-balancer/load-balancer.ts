/**
 * @module
 * A port on loopback behind which every kube-apiserver of the cluster is: the node's programs know this one address.
 * Knows: TCP, which server is alive. Leaves to others: TLS (it passes through), which servers there are (channel/).
 *
 *   kubelet ──▶ 127.0.0.1:6444 ──▶ the server that answered last; the next one when it does not
 */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { conditionTracker, type Component, type ComponentName } from '../../shared/component/component.ts';
import { messageOf } from '../../shared/errors.ts';
import { listenOnPort } from '../../shared/listen/listen.ts';
import { httpsAgent, httpsRequest } from '../../shared/https/https.ts';
import type { Log } from '../../shared/log/log.ts';
import { dial, joinStreams } from '../../shared/streams/streams.ts';
import { BalancerPortTakenError } from './errors.ts';
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

export interface Fallback {
  answer(client: Socket): void;
  /** Called once, when a server is reached. */
  end(): void;
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

interface Backend {
  readonly url: string;
  isAlive: boolean;
  readonly clients: Set<Socket>;
}

export function createLoadBalancer(options: LoadBalancerOptions): LoadBalancer {
  const { after, port, apiserverUrls, log } = options;
  let { fallback } = options;
  const condition = conditionTracker();
  const stopping = new AbortController();
  const backends = new Map<string, Backend>();
  let server: Server | undefined;
  let work = Promise.resolve();
  let preferred = '';
  /** Clients of the fallback. */
  const fallen = new Set<Socket>();

  /** Those alive first, and of them the one that serves now. */
  const inOrder = (): readonly Backend[] => {
    const urls = apiserverUrls();
    for (const url of urls) if (!backends.has(url)) backends.set(url, { url, isAlive: true, clients: new Set() });
    for (const [url, backend] of backends) {
      if (urls.includes(url)) continue;
      end(backend);
      backends.delete(url);
    }
    const rank = ({ url, isAlive }: Backend) => (isAlive ? 0 : 2) + (url === preferred ? 0 : 1);
    return [...backends.values()].toSorted((a, b) => rank(a) - rank(b));
  };

  const end = (backend: Backend): void => {
    for (const client of backend.clients) client.destroy();
    backend.clients.clear();
  };

  const setAlive = (backend: Backend, isAlive: boolean, reason: string): void => {
    if (backend.isAlive !== isAlive) {
      if (isAlive) log.info('a kube-apiserver answers again', { url: backend.url });
      else log.warn('a kube-apiserver does not answer', { url: backend.url, reason });
    }
    backend.isAlive = isAlive;
    if (!isAlive) end(backend);
    else endFallback();
    const alive = [...backends.values()].filter((one) => one.isAlive);
    if (alive.length > 0) condition.set('True', 'Serving', '');
    else condition.set('False', 'NoServer', `no kube-apiserver answers: ${[...backends.keys()].join(', ')}`);
  };

  const endFallback = (): void => {
    const ended = fallback;
    fallback = undefined;
    ended?.end();
    for (const client of fallen) client.destroy(); // they come again, and reach the server
  };

  const serve = async (client: Socket): Promise<void> => {
    client.on('error', () => {}); // its close says the same
    const ordered = inOrder();
    // Before the first server is found only the probes search for it: programs that start do not wait for each.
    const isHopeless = fallback !== undefined && ordered.every(({ isAlive }) => !isAlive);
    for (const backend of isHopeless ? [] : ordered) {
      try {
        const upstream = await dialServer(backend.url);
        endFallback();
        if (client.destroyed) return void upstream.destroy();
        preferred = backend.url;
        backend.clients.add(client);
        client.once('close', () => backend.clients.delete(client));
        await joinStreams(client, upstream);
        return;
      } catch (error) {
        setAlive(backend, false, messageOf(error));
      }
    }
    if (fallback === undefined) return void client.destroy();
    fallen.add(client);
    client.once('close', () => fallen.delete(client));
    try {
      fallback.answer(client);
    } catch (error) {
      client.destroy();
      log.warn('what this node remembers cannot be used', { error }); // a file of it cannot be read
    }
  };

  const probeForEver = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      await probeAll(signal).catch((error: unknown) => log.warn('servers are not probed', { error })); // no CA to read
      await delay(probeAlone.everyMs, undefined, { signal }).catch(() => {}); // the stop
    }
  };

  const probeAll = async (signal: AbortSignal): Promise<void> => {
    const agent = httpsAgent({ ca: readText(options.caPath()) });
    try {
      while (!signal.aborted) {
        const all = inOrder();
        const { everyMs, withinMs } = fallback !== undefined ? probeReturn : all.length > 1 ? probe : probeAlone;
        await Promise.all(
          all.map(async (backend) => {
            try {
              await httpsRequest({ url: `${backend.url}/version`, agent, timeoutMs: withinMs }, signal);
              setAlive(backend, true, '');
            } catch (error) {
              if (!signal.aborted) setAlive(backend, false, messageOf(error));
            }
          }),
        );
        await delay(everyMs, undefined, { signal });
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      agent.destroy();
    }
  };

  return {
    name: 'load-balancer',
    after,
    async start() {
      server = createServer({ noDelay: true }, (client) => void serve(client));
      await listenOnPort(server, { address: '127.0.0.1', port }, (cause) => new BalancerPortTakenError(port, cause));
      work = probeForEver(stopping.signal);
      condition.set('True', 'Serving', '');
    },
    async stop() {
      stopping.abort();
      const stopped = server;
      server = undefined;
      for (const backend of backends.values()) end(backend);
      for (const client of fallen) client.destroy();
      if (stopped !== undefined) await new Promise<void>((resolve) => stopped.close(() => resolve()));
      await work;
      condition.set('False', 'Stopped', '');
    },
    health: () => condition.current(),
    url: () => `https://127.0.0.1:${(server?.address() as AddressInfo | null | undefined)?.port ?? port}`,
  };
}

function dialServer(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  return dial({ host: hostname, port: Number(port || 443), withinMs: dialWithinMs });
}

export { BalancerPortTakenError } from './errors.ts';
