/**
 * @module
 * Proxies: HTTP_PROXY, HTTPS_PROXY and NO_PROXY, completed so that what is the cluster's own is reached without one, whatever
 * the operator's NO_PROXY has. A proxy is for images, releases, and what else is outside.
 * Knows: the variables, and NO_PROXY as Go reads it. Leaves to others: the cluster's ranges, and who needs a proxy.
 */
import { BlockList, isIP } from 'node:net';

type Environment = Readonly<Record<string, string | undefined>>;

export interface OwnNetworks {
  readonly clusterCidr: string;
  readonly serviceCidr: string;
  readonly clusterDomain: string;
  /** Names and addresses of servers and nodes, and ranges of addresses. */
  readonly hosts: readonly string[];
}

const loopback = ['localhost', '127.0.0.0/8', '::1'];
/** Whatever is named by its number, as nodes and pods are. Go compares ranges with numbers alone, and never looks a name up. */
export const everyNumber: readonly string[] = ['0.0.0.0/0', '::/0'];

/** What is reached without a proxy, as NO_PROXY has it. */
export function ownNetworks({ clusterCidr, serviceCidr, clusterDomain, hosts }: OwnNetworks): readonly string[] {
  return [...new Set([...loopback, clusterCidr, serviceCidr, '.svc', `.${clusterDomain}`, ...hosts])];
}

/**
 * The variables of a child; none where there is no proxy. Lists are put together, since Go reads only the first of NO_PROXY and no_proxy that is set.
 * @param direct what `ownNetworks` gives
 */
export function proxyVariables(env: Environment, direct: readonly string[]): Record<string, string> {
  const proxies = proxiesOf(env);
  if (Object.keys(proxies).length === 0) return {};
  const list = [...new Set([...withoutProxy(env), ...direct])].join(',');
  return { ...proxies, NO_PROXY: list, no_proxy: list };
}

/** Whether a proxy is set. */
export function usesProxy(env: Environment): boolean {
  return Object.keys(proxiesOf(env)).length > 0;
}

/** Whether `url` is reached without a proxy. Node's own agents cannot tell: they know no ranges in NO_PROXY. */
export function isDirect(url: URL, env: Environment, direct: readonly string[]): boolean {
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const list = [...loopback, ...withoutProxy(env), ...direct];
  return !usesProxy(env) || list.some((entry) => matches(entry.toLowerCase(), host, port));
}

/** The proxies alone, for Node's own agents (`proxyEnv`). */
export function proxiesOf(env: Environment): Record<string, string> {
  const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy'];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = env[name] ?? '';
      return value === '' ? [] : [[name, value]];
    }),
  );
}

function withoutProxy(env: Environment): readonly string[] {
  return [env['NO_PROXY'], env['no_proxy']].flatMap((list) =>
    (list ?? '')
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== ''),
  );
}

/** @see golang.org/x/net/http/httpproxy, Config.NoProxy */
function matches(entry: string, host: string, port: number): boolean {
  if (entry === '*') return true;
  const [, network = '', prefix] = /^(.+)\/(\d+)$/.exec(entry) ?? [];
  if (prefix !== undefined) return isIP(host) !== 0 && holds(network, Number(prefix), host);
  if (isIP(entry) !== 0) return entry === host;
  const [, name = '', ownPort] = /^(.*?)(?::(\d+))?$/.exec(entry) ?? [];
  if (ownPort !== undefined && Number(ownPort) !== port) return false;
  const plain = name.replace(/^\*(?=\.)/, '').replace(/^\[|\]$/g, '');
  if (plain.startsWith('.')) return host.endsWith(plain);
  return host === plain || host.endsWith(`.${plain}`);
}

function holds(network: string, prefix: number, address: string): boolean {
  const family = isIP(network) === 6 ? 'ipv6' : 'ipv4';
  if (isIP(network) === 0 || isIP(network) !== isIP(address) || prefix > (family === 'ipv4' ? 32 : 128)) return false;
  const list = new BlockList();
  list.addSubnet(network, prefix, family);
  return list.check(address, family);
}
