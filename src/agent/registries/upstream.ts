import type { IncomingMessage } from 'node:http';
import { discard, follow, outsideAgents } from '../../shared/http/http.ts';
import type { OutsideAgents, OutsideRequest } from '../../shared/http/http.ts';
import { apiRoot } from './address.ts';
import { answerChallenge } from './challenge.ts';
import type { Authorization } from './challenge.ts';
import type { Endpoint } from './endpoints.ts';
import type { Rewrite } from './rewrite.ts';
import { secureContextOf } from './tls.ts';

/** What containerd asks a registry's API, below its root: `/library/busybox/manifests/1.36`. */
export interface ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | string[]>>;
}

/** Has the name of the registry that an image is of, where another one is asked. */
const namespaceQuery = 'ns';

const silenceMs = 60_000;

/** An endpoint that is asked with what containerd cannot: credentials of its own, and other repository names. */
export class Upstream {
  readonly #endpoint: Endpoint;
  #agents: OutsideAgents | undefined;
  /** By repository: a token is for one. */
  readonly #authorizations = new Map<string, Authorization>();

  readonly #isItself: boolean;
  readonly #direct: () => readonly string[];

  constructor(
    endpoint: Endpoint,
    options: {
      /** The endpoint is the registry of the image's name. */
      readonly isItself: boolean;
      /** What is reached without a proxy, as `NO_PROXY` has it. */
      readonly direct: () => readonly string[];
    },
  ) {
    this.#endpoint = endpoint;
    this.#isItself = options.isItself;
    this.#direct = options.direct;
  }

  /** The registry's answer, whatever it is. @throws where there is none, or its certificates cannot be used */
  async fetch(request: ApiRequest, signal: AbortSignal): Promise<IncomingMessage> {
    const { credentials } = this.#endpoint;
    const url = this.urlOf(request);
    const repository = repositoryOf(request.path) ?? '';
    const agents = (this.#agents ??= this.#openAgents()); // certificates that are no good are for who pulls there
    const ask = (one: OutsideRequest) => follow({ ...one, silenceMs }, agents, signal);
    const attempt = async (headers: ApiRequest['headers']) => {
      const { response, origin } = await ask({ method: request.method, url, headers });
      // Somebody else's challenge is not passed on either: whoever reads it would answer it with what is for this registry.
      if (origin !== url.origin) delete response.headers['www-authenticate'];
      return response;
    };
    // What a pod's own pull secret gave containerd goes before what this box has.
    if (credentials === undefined || request.headers['authorization'] !== undefined) return attempt(request.headers);
    const known = this.#authorizations.get(repository);
    const isFresh = known !== undefined && known.untilMs > Date.now();
    const response = await attempt(isFresh ? { ...request.headers, authorization: known.value } : request.headers);
    const challenge = response.headers['www-authenticate'];
    if (response.statusCode !== 401 || challenge === undefined) return response;
    const authorization = await answerChallenge(challenge, { credentials, isTls: url.protocol === 'https:' }, ask);
    if (authorization === undefined) return response;
    discard(response);
    this.#authorizations.set(repository, authorization);
    return attempt({ ...request.headers, authorization: authorization.value });
  }

  urlOf({ path, query }: Pick<ApiRequest, 'path' | 'query'>): URL {
    const root = this.#endpoint.url ?? apiRoot(query.get(namespaceQuery) ?? '').url;
    const url = new URL(root);
    url.pathname = `${root.pathname}${rewritten(path, this.#endpoint.rewrites)}`;
    url.search = query.toString();
    if (this.#isItself) url.searchParams.delete(namespaceQuery);
    return url;
  }

  #openAgents(): OutsideAgents {
    const { tls } = this.#endpoint;
    const rejectUnauthorized = !tls.skipVerify;
    return outsideAgents({ secureContext: secureContextOf(tls), rejectUnauthorized, direct: this.#direct });
  }

  close(): void {
    this.#agents?.close();
  }
}

function repositoryOf(path: string): string | undefined {
  return /^\/(.+)\/(?:manifests|blobs|tags|referrers)\/[^/]+$/.exec(path)?.[1];
}

/** The first rewrite that changes the repository's name. */
export function rewritten(path: string, rewrites: readonly Rewrite[]): string {
  const repository = repositoryOf(path);
  if (repository === undefined) return path;
  for (const rewrite of rewrites) {
    const name = rewrite.apply(repository);
    if (name !== repository) return `/${name}${path.slice(repository.length + 1)}`;
  }
  return path;
}
