/** Registries as people write them: `docker.io`, `Mirror.example.com:443`, `https://mirror.example.com/v2/docker`. */

/** Docker Hub's name is not its address. */
const dockerHub = { name: 'docker.io', host: 'registry-1.docker.io' };

/** `mirror.example.com` → `https://mirror.example.com/v2`; a path of its own stays as it is. */
export function apiRoot(address: string): { readonly url: URL; readonly overridesPath: boolean } {
  const url = urlOf(address, isPlainLocal(address) ? 'http:' : 'https:');
  const path = url.pathname.replace(/\/+$/, '');
  const overridesPath = path !== '' && path !== '/v2';
  url.pathname = overridesPath ? path : '/v2';
  return { url, overridesPath };
}

/** Whether `apiRoot` knows what it means. */
export function isAddress(text: string): boolean {
  return URL.canParse(text.includes('://') ? text : `https://${text}`);
}

/** Whether a registry's name means the place of an address: in whatever letters, with its scheme's port or without. */
export function isAt(name: string, address: string): boolean {
  const { url } = apiRoot(address);
  return urlOf(name, url.protocol).host === url.host;
}

/** `https://Mirror.example.com:443/v2` → `Mirror.example.com:443`, as it is written */
export function authorityOf(address: string): string {
  return /^(?:[^/]*:\/\/)?([^/?#]*)/.exec(address)?.[1] ?? '';
}

/** Its host is in small letters, without the scheme's port. */
function urlOf(address: string, protocol: string): URL {
  const url = new URL(address.includes('://') ? address : `${protocol}//${address}`);
  if (url.host === dockerHub.name) url.host = dockerHub.host;
  return url;
}

/** Without a scheme, a registry on this box that is not at TLS's port speaks plain HTTP. */
function isPlainLocal(address: string): boolean {
  const [, host = '', port = '443'] = /^(\[[^\]]*\]|[^:/]*)(?::(\d+))?/.exec(address) ?? [];
  return port !== '443' && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/i.test(host);
}
