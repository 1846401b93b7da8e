import type { Credentials, RegistriesFile, Rewrite, Tls } from './file.ts';

/** Where images of a registry are asked for. */
export interface Endpoint {
  /** Root of its API, `https://mirror.example.com/v2`; undefined: at the registry that is in the image's name. */
  readonly url: URL | undefined;
  /** Its root is not `/v2` at the end of the path. */
  readonly overridesPath: boolean;
  readonly tls: Tls;
  readonly credentials: Credentials | undefined;
  readonly rewrites: readonly Rewrite[];
}

export interface Registry {
  /** As in image names; `*` stands for every registry without an entry of its own. */
  readonly name: string;
  /** Asked in turn. */
  readonly mirrors: readonly Endpoint[];
  /** Asked last: the registry itself, or the last mirror where nothing else may be asked. */
  readonly last: Endpoint;
}

/** An entry for each registry that is mirrored or has settings. @see k3s `pkg/agent/containerd` getHostConfigs */
export function registriesOf(file: RegistriesFile, disableDefaultEndpoint: boolean): readonly Registry[] {
  return [...new Set([...file.mirrors.keys(), ...file.configs.keys()])].map((name) => {
    const { endpoints = [], rewrites = [] } = file.mirrors.get(name) ?? {};
    const unique = [...new Map(endpoints.map((text) => [String(apiRoot(text).url), text])).values()];
    const mirrors = unique.map((text): Endpoint => {
      const { url, registry, overridesPath } = apiRoot(text);
      return { url, overridesPath, ...configOf(file, registry), rewrites };
    });
    const itself: Endpoint = {
      url: name === '*' ? undefined : apiRoot(name).url,
      overridesPath: false,
      ...configOf(file, name),
      rewrites: [],
    };
    const final = mirrors.at(-1);
    // Somebody who names the registry itself as its last mirror means the registry, with the rewrites.
    const isItself = final !== undefined && String(final.url) === String(itself.url);
    if (final !== undefined && (isItself || disableDefaultEndpoint))
      return { name, mirrors: mirrors.slice(0, -1), last: final };
    return { name, mirrors, last: itself };
  });
}

function configOf({ configs }: RegistriesFile, registry: string): Pick<Endpoint, 'tls' | 'credentials'> {
  return configs.get(registry) ?? configs.get('*') ?? { credentials: undefined, tls: { skipVerify: false } };
}

/** Docker Hub's name is not its address. */
const dockerHub = { name: 'docker.io', host: 'registry-1.docker.io' };

/** `mirror.example.com` → `https://mirror.example.com/v2`; a path of its own stays as it is. */
export function apiRoot(text: string): {
  readonly url: URL;
  readonly registry: string;
  readonly overridesPath: boolean;
} {
  const url = new URL(text.includes('://') ? text : `${isPlainLocal(text) ? 'http' : 'https'}://${text}`);
  if (url.host === dockerHub.name) url.host = dockerHub.host;
  const path = url.pathname.replace(/\/+$/, '');
  const overridesPath = path !== '' && path !== '/v2';
  url.pathname = overridesPath ? path : '/v2';
  return { url, registry: url.host === dockerHub.host ? dockerHub.name : url.host, overridesPath };
}

/** Without a scheme, a registry on this box that is not at TLS's port speaks plain HTTP. */
function isPlainLocal(text: string): boolean {
  const [, host = '', port = '443'] = /^(\[[^\]]*\]|[^:/]*)(?::(\d+))?/.exec(text) ?? [];
  return port !== '443' && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(host);
}
