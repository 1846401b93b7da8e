import type { HostRoot } from './root.ts';

export interface ResolvConf {
  /** A file that is good as it is, if there is one. */
  readonly path: string | undefined;
  /** What to write where there is none. */
  readonly text: string;
  /** The only servers known are on loopback, where no pod can ask them. */
  readonly usesFallback: boolean;
}

/** Where the real servers are when /etc/resolv.conf names a resolver on this box. */
const candidates = ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf', '/run/NetworkManager/no-stub-resolv.conf'];

const fallbackServer = '8.8.8.8'; // as k3s; without any, CoreDNS does not start

/** The resolv.conf for pods: CoreDNS must reach its servers, and not itself. */
export function findResolvConf(root: HostRoot): ResolvConf {
  const files = candidates.map((path) => ({ path, text: root.read(path) ?? '' }));
  const good = files.find(({ text }) => serversOf(text).length > 0 && serversOf(text).every(isReachable));
  if (good !== undefined) return { path: good.path, text: good.text, usesFallback: false };
  const mixed = files.find(({ text }) => serversOf(text).some(isReachable));
  if (mixed !== undefined) return { path: undefined, text: withoutLoopback(mixed.text), usesFallback: false };
  const kept = withoutLoopback(files[0]?.text ?? '');
  return { path: undefined, text: `${kept}nameserver ${fallbackServer}\n`, usesFallback: true };
}

export function serversOf(text: string): readonly string[] {
  return [...text.matchAll(/^[ \t]*nameserver[ \t]+(\S+)/gm)].map(([, server = '']) => server);
}

function isReachable(server: string): boolean {
  return !/^127\.|^::1$|^0\.0\.0\.0$|^::$/.test(server);
}

function withoutLoopback(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.trim().startsWith('#'));
  const kept = lines.filter((line) => serversOf(line).every(isReachable));
  return kept.map((line) => `${line}\n`).join('');
}
