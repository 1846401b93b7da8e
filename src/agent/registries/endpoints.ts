import { apiRoot, authorityOf, isAt } from './address.ts';
import type { Credentials, RegistriesFile, RegistryConfig, Tls } from './file.ts';
import type { Rewrite } from './rewrite.ts';

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
    const mirrors = endpoints.map((text): Endpoint => ({ ...apiRoot(text), ...configOf(file, text), rewrites }));
    const unique = mirrors.filter(({ url }, index) => mirrors.findIndex((one) => isSame(one.url, url)) === index);
    const itself: Endpoint = {
      url: name === '*' ? undefined : apiRoot(name).url,
      overridesPath: false,
      ...configOf(file, name),
      rewrites: [],
    };
    const final = unique.at(-1);
    // Somebody who names the registry itself as its last mirror means the registry, with the rewrites.
    if (final !== undefined && (isSame(final.url, itself.url) || disableDefaultEndpoint))
      return { name, mirrors: unique.slice(0, -1), last: final };
    return { name, mirrors: unique, last: itself };
  });
}

function isSame(one: URL | undefined, other: URL | undefined): boolean {
  return one?.href === other?.href;
}

/** By the name as it is written, which is all that k3s looks for, or else by one that means the same place. */
function configOf({ configs }: RegistriesFile, address: string): RegistryConfig {
  const exact = configs.get(authorityOf(address));
  if (exact !== undefined) return exact;
  const [, config] = [...configs].find(([name]) => name !== '*' && address !== '*' && isAt(name, address)) ?? [];
  return config ?? configs.get('*') ?? { credentials: undefined, tls: { skipVerify: false } };
}
