/**
 * @module
 * The server's end of `kagent doctor --from`: sends some UDP packets back to the box that asks, and counts those that come
 * from it.
 * Knows: how many, and for how long. Nobody is flooded: packets go to the asker's own address, which a TLS connection
 * has proven, some hundred and sixty at a time. Leaves to others: who may ask (api/, join/), the packets (host/probe).
 */
import { rfc3339, systemClock } from '../../shared/clock.ts';
import type { Clock } from '../../shared/clock.ts';
import { localTunnel, mtuOf, openProbeSocket, probeSizes } from '../../host/probe/probe.ts';
import type { ProbeSocket } from '../../host/probe/probe.ts';
import type { ClusterSettings } from '../../shared/protocol/join.ts';
import type { ProbeOpened, ProbeRequest, ProbeSeen } from '../../shared/protocol/probe.ts';
import { ProbeBusyError, ProbeUnknownError } from './errors.ts';
import type { ServerDirectory } from '../cluster/cluster.ts';

export interface ProbeOptions {
  readonly version: string;
  /** For who has come to this address of the server. */
  readonly servers: Pick<ServerDirectory, 'current'>;
  readonly settings: ClusterSettings;
  readonly clock?: Clock;
}

/** The connection that asks: both its addresses, and the node whose certificate it shows. */
export interface Asker {
  readonly address: string;
  readonly nodeName?: string;
  readonly localAddress: string;
}

export interface Probes {
  /** @throws {ProbeBusyError} */
  open(request: ProbeRequest, asker: Asker): Promise<ProbeOpened>;
  /** What has come so far. @throws {ProbeUnknownError} */
  seen(id: string, asker: Pick<Asker, 'address'>): ProbeSeen;
}

/** Of nodes, and of those that show a token: neither waits for the other. */
const mostAtOnce = 8;
/** After the last question about it: a box that is busy takes long from one to the next. */
const lifeMs = 5000;
const longestLifeMs = 30_000;

interface Open {
  readonly address: string;
  readonly socket: ProbeSocket;
  readonly openedMs: number;
  readonly timer: NodeJS.Timeout;
}

export function createProbes(options: ProbeOptions): Probes {
  const { version, servers, settings, clock = systemClock } = options;
  const byId = new Map<string, Open>();
  // Each node, and each address, waits until its last one is over.
  const askingNodes = new Set<string>();
  const askingAddresses = new Set<string>();
  return {
    async open({ id, port, mtu: theirMtu, tunnel: theirTunnel }, { address, localAddress, nodeName }) {
      const [asking, asker] = nodeName === undefined ? [askingAddresses, address] : [askingNodes, nodeName];
      if (asking.size >= mostAtOnce || asking.has(asker) || byId.has(id)) throw new ProbeBusyError();
      asking.add(asker);
      const end = new AbortController();
      const over = () => {
        end.abort();
        byId.get(id)?.socket.close();
        byId.delete(id);
        asking.delete(asker);
      };
      const timer = setTimeout(over, lifeMs).unref();
      const openedMs = clock.monotonicMs();
      const socket = await openProbeSocket(id);
      byId.set(id, { address, socket, openedMs, timer });
      const mtu = mtuOf(localAddress);
      const target = { address, port, tunnel: theirTunnel, clusterCidr: settings.clusterCidr };
      void socket.send(target, probeSizes([mtu, theirMtu]), end.signal);
      const tunnel = localTunnel();
      return {
        port: socket.port,
        mtu,
        ...(tunnel !== undefined && { tunnel }),
        yourAddress: address,
        time: rfc3339(clock.now()),
        version,
        apiserverUrls: servers.current(localAddress).map(({ apiserverUrl }) => apiserverUrl),
        settings,
      };
    },
    seen(id, { address }) {
      const probe = byId.get(id);
      if (probe === undefined || probe.address !== address) throw new ProbeUnknownError();
      if (clock.monotonicMs() - probe.openedMs < longestLifeMs) probe.timer.refresh();
      return { sizes: [...probe.socket.seen()] };
    },
  };
}

export { ProbeBusyError, ProbeUnknownError } from './errors.ts';
