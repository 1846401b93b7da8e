import type { Agent } from 'node:https';
import { createInterface } from 'node:readline';
import { KagentError } from '../shared/errors.ts';
import { httpsAgent, httpRequest, openHttp } from '../shared/http/http.ts';
import type { TlsCredentials } from '../shared/http/http.ts';
import { parseJson } from '../shared/json/json.ts';
import type { KubeObject } from './objects.ts';

export interface WatchEvent<T = KubeObject> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: T;
}

/** kube-apiserver's own refusal, with the words of its Status. */
export class KubeError extends KagentError {
  readonly code = 'KUBE_REQUEST';
  readonly fault = 'peer';
  readonly status: number;
  /** The words alone. */
  readonly detail: string;
  constructor(request: string, status: number, detail: string) {
    super(`${request}: kube-apiserver answers ${status}: ${detail}`);
    this.status = status;
    this.detail = detail;
  }
}

/** kube-apiserver has nothing there. */
export function isNotFound(error: unknown): boolean {
  return error instanceof KubeError && error.status === 404;
}

/** For `catch`: what was to be removed or changed is gone already. */
export function unlessGone(error: unknown): void {
  if (!isNotFound(error)) throw error;
}

/** It is there already, or is another one by now. */
export function isConflict(error: unknown): boolean {
  return error instanceof KubeError && error.status === 409;
}

/** Paths are those of the API: `/api/v1/nodes/box`. */
export interface KubeClient {
  /** @throws {KubeError} */
  get<T = KubeObject>(path: string, signal?: AbortSignal): Promise<T>;
  /** Undefined where there is nothing at `path`. */
  find<T = KubeObject>(path: string, signal?: AbortSignal): Promise<T | undefined>;
  /** Of the objects of a list their metadata alone. */
  metadata(path: string, signal?: AbortSignal): Promise<readonly Pick<KubeObject, 'metadata'>[]>;
  /** JSON merge patch, RFC 7386. */
  mergePatch(path: string, patch: unknown, signal?: AbortSignal): Promise<KubeObject>;
  /** Lists merge by their keys, as conditions by `type`. */
  strategicPatch(path: string, patch: unknown, signal?: AbortSignal): Promise<KubeObject>;
  /** POST: a new object below `path`, or what a subresource is asked to do. */
  create(path: string, object: unknown, signal?: AbortSignal): Promise<KubeObject>;
  /** Server-side apply as field manager `kagent`; `force` takes over fields others have set, which else are a 409. */
  apply(path: string, object: unknown, options: { readonly force: boolean }, signal?: AbortSignal): Promise<KubeObject>;
  /** And what it owns. With `uid` that very object: another one of its name is a 409. */
  delete(path: string, options?: { readonly uid?: string }, signal?: AbortSignal): Promise<void>;
  /** The objects of a list as ADDED, then their changes; ends when the server ends it, which it does after some minutes. */
  watch<T = KubeObject>(path: string, signal: AbortSignal): AsyncIterable<WatchEvent<T>>;
  /** The next request shows the certificate that is on disk then. */
  reconnect(): void;
  close(): void;
}

export interface KubeClientOptions {
  /** `https://host:port` */
  readonly url: string;
  /** Whom it believes and who asks, as they are then: read when it connects. */
  readonly credentials: () => TlsCredentials;
  /** Until the whole answer is here. */
  readonly timeoutMs?: number;
}

/** @see Kubernetes' API concepts, "Receiving resources as Tables", of which this is another form */
const metadataAlone = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';

export function createKubeClient({ url, credentials, timeoutMs = 30_000 }: KubeClientOptions): KubeClient {
  // A watch keeps its connection for minutes: among the few of the requests, it would keep these waiting.
  const open = () => ({ requests: httpsAgent(credentials()), watches: httpsAgent(credentials(), Infinity) });
  let agents = open();
  const close = () => [agents.requests, agents.watches].forEach((agent) => agent.destroy());

  const send = async (
    method: string,
    path: string,
    content?: { readonly type: string; readonly body: unknown },
    signal?: AbortSignal,
    accept = 'application/json',
  ) => {
    const headers = { accept, ...(content === undefined ? {} : { 'content-type': content.type }) };
    const body = content === undefined ? {} : { body: JSON.stringify(content.body) };
    const request = { url: url + path, method, headers, agent: agents.requests, timeoutMs, ...body };
    const reply = await httpRequest(request, signal);
    if (reply.status >= 400) throw new KubeError(`${method} ${path}`, reply.status, statusMessage(reply.body));
    return parseJson(reply.body);
  };

  return {
    get: async <T>(path: string, signal?: AbortSignal) => (await send('GET', path, undefined, signal)) as T,
    async find<T>(path: string, signal?: AbortSignal) {
      try {
        return (await send('GET', path, undefined, signal)) as T;
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    },
    async metadata(path, signal) {
      const answer = await send('GET', path, undefined, signal, metadataAlone);
      // Of none there is no list: null.
      return (answer as { readonly items: readonly Pick<KubeObject, 'metadata'>[] | null }).items ?? [];
    },
    mergePatch: async (path, body, signal) =>
      (await send('PATCH', path, { type: 'application/merge-patch+json', body }, signal)) as KubeObject,
    strategicPatch: async (path, body, signal) =>
      (await send('PATCH', path, { type: 'application/strategic-merge-patch+json', body }, signal)) as KubeObject,
    create: async (path, body, signal) =>
      (await send('POST', path, { type: 'application/json', body }, signal)) as KubeObject,
    apply: async (path, body, { force }, signal) => {
      const query = `?fieldManager=kagent&force=${force}`;
      return (await send('PATCH', path + query, { type: 'application/apply-patch+yaml', body }, signal)) as KubeObject;
    },
    async delete(path, { uid } = {}, signal) {
      // Said, since an old kind such as Job leaves its pods otherwise.
      const body = { propagationPolicy: 'Background', ...(uid !== undefined && { preconditions: { uid } }) };
      await send('DELETE', path, { type: 'application/json', body }, signal);
    },
    watch: <T>(path: string, signal: AbortSignal) => watchLines<T>({ url, path, agent: agents.watches }, signal),
    reconnect() {
      close();
      agents = open();
    },
    close,
  };
}

async function* watchLines<T>(
  { url, path, agent }: { readonly url: string; readonly path: string; readonly agent: Agent },
  signal: AbortSignal,
): AsyncGenerator<WatchEvent<T>> {
  const separator = path.includes('?') ? '&' : '?';
  const reply = await openHttp({ url: `${url}${path}${separator}watch=true`, agent }, signal);
  if (reply.statusCode !== 200) {
    reply.destroy();
    throw new KubeError(`WATCH ${path}`, reply.statusCode ?? 0, 'the watch is refused');
  }
  try {
    for await (const line of createInterface({ input: reply })) {
      const event = parseJson(line) as WatchEvent<T> | { readonly type: 'ERROR'; readonly object: unknown };
      if (event.type === 'ERROR')
        throw new KubeError(`WATCH ${path}`, 410, statusMessage(JSON.stringify(event.object)));
      yield event;
    }
  } finally {
    reply.destroy();
  }
}

/** The message of a Kubernetes Status; the text itself if it is none. */
function statusMessage(body: string): string {
  try {
    const { message } = JSON.parse(body) as { readonly message?: string };
    return message ?? body.slice(0, 200);
  } catch {
    return body.slice(0, 200);
  }
}
