import { isIPv4, isIPv6 } from 'node:net';
import type { HostRoot } from './root.ts';

export interface ResolvConf {
  /** The file it is made from, if one names a server that pods reach. */
  readonly source: string | undefined;
  /** What pods get. */
  readonly text: string;
  /** Why servers that a file names are left out; none where all is well. */
  readonly leftOut: readonly { readonly server: string; readonly because: 'loopback' | 'IPv6' }[];
}

export interface ResolvConfOptions {
  /** `--resolv-conf`: the only file that is looked at. */
  readonly given?: string | undefined;
  /** Pods have addresses of IPv6: by a network that is not kagent's. */
  readonly hasIPv6?: boolean;
}

/** Where the real servers are when /etc/resolv.conf names a resolver on this box. */
const candidates = ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf', '/run/NetworkManager/no-stub-resolv.conf'];

export const fallbackServer = '8.8.8.8'; // as k3s; without any, CoreDNS does not start

/** The resolv.conf for pods: CoreDNS must reach its servers, and not itself. */
export function findResolvConf(root: HostRoot, { given, hasIPv6 = false }: ResolvConfOptions = {}): ResolvConf {
  const paths = given === undefined ? candidates : [given];
  const files = paths.map((path) => ({ path, text: root.read(path) ?? '' }));
  const why = (server: string) => reasonOf(server, hasIPv6);
  const servers = (file: { readonly text: string }) => serversOf(file.text);
  // One without a stub comes first: what stands beside a stub is often a stub's own, too.
  const withoutStub = files.find((file) => {
    const reasons = servers(file).map(why);
    return reasons.includes(undefined) && !reasons.includes('loopback');
  });
  const found = withoutStub ?? files.find((file) => servers(file).some((server) => why(server) === undefined));
  const asked = found ?? files.find((file) => servers(file).length > 0) ?? { text: '' };
  const leftOut = servers(asked).flatMap((server) => {
    const because = why(server);
    return because === undefined ? [] : [{ server, because }];
  });
  const kept = linesWithout(
    asked.text,
    leftOut.map(({ server }) => server),
  );
  const text = found === undefined ? `${kept}nameserver ${fallbackServer}\n` : kept;
  return { source: found?.path, text, leftOut };
}

export function serversOf(text: string): readonly string[] {
  return [...text.matchAll(/^[ \t]*nameserver[ \t]+(\S+)/gm)].map(([, server = '']) => server);
}

/** In words for a person, and for the doctor. */
export function whyNone({ leftOut }: ResolvConf): string {
  if (leftOut.length === 0) return 'no resolv.conf of this host names a server';
  const named = leftOut.map(({ server }) => server).join(', ');
  const isIPv6 = leftOut.some(({ because }) => because === 'IPv6');
  const because = isIPv6 ? 'pods have addresses of IPv4 alone' : "pods do not reach this host's loopback";
  return `this host's resolv.conf names ${named} alone, and ${because}`;
}

/** Why pods do not reach it; undefined: they may. */
function reasonOf(server: string, hasIPv6: boolean): 'loopback' | 'IPv6' | undefined {
  if (/^127\.|^::1$|^0\.0\.0\.0$|^::$/.test(server)) return 'loopback';
  if (isIPv4(server) || !isIPv6(server.split('%')[0] ?? '')) return undefined;
  return hasIPv6 && !server.includes('%') ? undefined : 'IPv6'; // one with a zone is this host's own path to it
}

function linesWithout(text: string, servers: readonly string[]): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !/^[#;]/.test(line.trim()));
  const kept = lines.filter((line) => serversOf(line).every((server) => !servers.includes(server)));
  return kept.map((line) => `${line}\n`).join('');
}
