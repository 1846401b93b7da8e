import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { messageOf } from '../../shared/errors.ts';
import { listenOnPort } from '../../shared/listen/listen.ts';
import type { Log } from '../../shared/log/log.ts';
import { Secret } from '../../shared/secret.ts';
import type { Endpoint, Registry } from './endpoints.ts';
import type { Relayed } from './hosts-file.ts';
import { Upstream } from './upstream.ts';

/** What containerd shows: others on this box do not get images by this node's passwords. */
const secretHeader = 'x-kagent-relay';
const passedOn = ['accept', 'accept-encoding', 'authorization', 'if-none-match', 'range', 'user-agent'];
const handedBack = [
  'accept-ranges',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'docker-content-digest',
  'docker-distribution-api-version',
  'etag',
  'link',
  'www-authenticate',
];

/**
 * A registry on 127.0.0.1, for containerd alone, that asks others with what containerd cannot say: passwords that change
 * while it runs, and rewritten names. Listens while there is something to relay.
 */
export class Relay {
  readonly #secret = new Secret(randomBytes(24).toString('base64url'));
  readonly #log: Log;
  readonly #direct: () => readonly string[];
  #server: Server | undefined;
  /** By the path before `/v2`. */
  #upstreams: ReadonlyMap<string, Upstream> = new Map();

  constructor({ log, direct }: { readonly log: Log; readonly direct: () => readonly string[] }) {
    this.#log = log;
    this.#direct = direct;
  }

  /** Takes the place of what was relayed before. @returns how containerd reaches an endpoint that needs it */
  async serve(registries: readonly Registry[]): Promise<(endpoint: Endpoint) => Relayed | undefined> {
    const upstreams = new Map<string, Upstream>();
    const paths = new Map<Endpoint, string>();
    for (const registry of registries) {
      for (const endpoint of [...registry.mirrors, registry.last].filter(needsRelay)) {
        // The mirror's name is in the messages of pods whose image is not pulled.
        const path = `/${paths.size}/${registry.name === '*' ? '_default' : registry.name}/at/${endpoint.url?.host ?? 'itself'}`;
        paths.set(endpoint, path);
        upstreams.set(path, new Upstream(endpoint, { isItself: endpoint === registry.last, direct: this.#direct }));
      }
    }
    if (upstreams.size > 0) await this.#listen();
    for (const upstream of this.#upstreams.values()) upstream.close();
    this.#upstreams = upstreams;
    const { port } = (this.#server?.address() as AddressInfo | null) ?? { port: 0 };
    return (endpoint) => {
      const path = paths.get(endpoint);
      if (path === undefined) return undefined;
      return { url: `http://127.0.0.1:${port}${path}/v2`, header: [secretHeader, this.#secret.reveal()] };
    };
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const upstream of this.#upstreams.values()) upstream.close();
    this.#upstreams = new Map();
    if (server === undefined) return;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }

  async #listen(): Promise<void> {
    if (this.#server !== undefined) return;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        this.#log.warn('relay failed', { error });
        response.destroy();
      });
    });
    await listenOnPort(this.#server, { address: '127.0.0.1', port: 0 }, (cause) => cause as Error);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', headers } = request;
    if (!this.#secret.equals(new Secret(String(headers[secretHeader]))))
      return refuse(response, 403, 'DENIED', 'this is for containerd alone'); // before anything is made of what was sent
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    const [, prefix = '', path = ''] = /^(.*?)\/v2(\/.*)$/.exec(url.pathname) ?? [];
    const upstream = this.#upstreams.get(decodeURIComponent(prefix));
    if (upstream === undefined) return refuse(response, 404, 'NAME_UNKNOWN', 'registries.yaml has changed meanwhile');
    if (method !== 'GET' && method !== 'HEAD')
      return refuse(response, 405, 'UNSUPPORTED', 'images are only pulled here');
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const wanted = { method, path, query: url.searchParams, headers: pick(headers, passedOn) };
    try {
      const answer = await upstream.fetch(wanted, gone.signal);
      response.writeHead(answer.statusCode ?? 502, pick(answer.headers, handedBack));
      await pipeline(answer, response);
    } catch (error) {
      if (gone.signal.aborted) return; // containerd has gone away
      const { host } = upstream.urlOf(wanted);
      this.#log.warn('registry not reached', { registry: host, error });
      if (response.headersSent) response.destroy();
      else refuse(response, 502, 'UNAVAILABLE', `${host}: ${messageOf(error)}`);
    }
  }
}

/** A client certificate, a CA and a path are containerd's own to say. */
function needsRelay({ credentials, rewrites }: Endpoint): boolean {
  return credentials !== undefined || rewrites.length > 0;
}

/** @see OCI distribution specification, "Error Codes" */
function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ errors: [{ code, message }] }));
}

function pick(headers: IncomingMessage['headers'], names: readonly string[]): Record<string, string | string[]> {
  return Object.fromEntries(names.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])));
}
