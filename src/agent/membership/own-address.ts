/** What decides about this host's address: what was said, what it was until now, and where its server is. */
import { lookup } from 'node:dns/promises';
import { isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { readFileIfExists } from '../../shared/files/files.ts';
import type { Paths } from '../../shared/paths.ts';
import type { WantedAddress } from '../../host/checks/checks.ts';
import { supervisorUrl } from '../../shared/supervisor-url.ts';
import { joinedAddress } from './identity.ts';

const resolvedWithinMs = 5000;
/** A network that comes up after kagent, as Wi-Fi or DHCP may. */
const keptWithinMs = 10_000;
const lookEveryMs = 200;

export async function wantedAddress(options: {
  readonly config: { readonly nodeIp?: string | undefined; readonly flannelIface?: string | undefined };
  readonly paths: Paths;
  readonly runsNode: boolean;
  /** Of an agent. */
  readonly serverUrl?: string | undefined;
}): Promise<WantedAddress> {
  const { config, paths, runsNode, serverUrl } = options;
  return {
    nodeIp: config.nodeIp,
    interfaceName: config.flannelIface,
    kept: runsNode ? joinedAddress(paths) : readFileIfExists(paths.server.address)?.trim(),
    serverIp: serverUrl === undefined ? undefined : await serverIpOf(serverUrl),
  };
}

/** undefined: it does not resolve now, or not to IPv4. What is wrong with the URL itself, a join says. */
async function serverIpOf(url: string): Promise<string | undefined> {
  const host = hostOf(url);
  if (host === undefined || isIPv4(host)) return host;
  const asked = lookup(host, { family: 4 }).then(
    ({ address }) => address,
    () => undefined,
  );
  return await Promise.race([asked, delay(resolvedWithinMs, undefined, { ref: false })]);
}

function hostOf(url: string): string | undefined {
  try {
    return new URL(supervisorUrl(url)).hostname;
  } catch {
    return undefined;
  }
}

/** A host that boots may not have its address yet; one that never comes back was replaced. */
export async function untilKeptIsBack({ nodeIp, kept }: WantedAddress): Promise<void> {
  if (nodeIp !== undefined || kept === undefined) return;
  const isBack = () => Object.values(networkInterfaces()).some((own) => own?.some(({ address }) => address === kept));
  const untilMs = performance.now() + keptWithinMs;
  while (!isBack() && performance.now() < untilMs) await delay(lookEveryMs);
}
