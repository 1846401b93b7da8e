/**
 * @module
 * The HTTPS API that nodes ask: hono on node:https, websockets, streams of the tunnel.
 * Knows: routes, TLS, limits, how an error looks (problem.ts). Leaves to others: every decision (join/, nodes/, tunnel/).
 * Spec: RFC 9457 for errors; messages in shared/protocol.
 */
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import type { Component, ComponentName } from '../../shared/component/component.ts';
import { conditionTracker } from '../../shared/component/component.ts';
import { listenOnPort } from '../../shared/listen/listen.ts';
import type { Log } from '../../shared/log/log.ts';
import type { JoinService, ServerJoin } from '../join/join.ts';
import type { Nodes } from '../nodes/nodes.ts';
import type { Release } from '../release/release.ts';
import type { Probes } from '../probe/probe.ts';
import type { Tunnel } from '../tunnel/tunnel.ts';
import type { TrustBundle } from '../pki/pki.ts';
import { shareConnections } from './connections.ts';
import { downloadLimits } from './downloads.ts';
import type { DownloadLimits } from './downloads.ts';
import { createUpgrades } from './upgrades.ts';
import type { Upgrades } from './upgrades.ts';
import { PortTakenError } from './errors.ts';
import { apiRoutes } from './routes.ts';
import { readBytes } from '../../shared/files/files.ts';

/** Whoever says nothing holds a connection for some seconds. An agent gives each of these ten. */
const deadlines = {
  handshakeTimeout: 5000,
  headersTimeout: 5000,
  requestTimeout: 15_000,
  connectionsCheckingInterval: 1000,
};
/** An answer that is not read. */
const idleMs = 60_000;

export interface ApiOptions {
  readonly address: string;
  /** 0: any free one. */
  readonly port: number;
  /** What joiners are told to believe. */
  readonly serverTrust: TrustBundle;
  readonly leaf: { readonly certFile: string; readonly keyFile: string };
  /** Whoever it vouches for as a node may connect. */
  readonly clientTrust: TrustBundle;
  readonly joinService: JoinService;
  readonly serverJoin: ServerJoin;
  readonly probes: Probes;
  readonly nodes: Pick<Nodes, 'connect' | 'drain'>;
  readonly tunnel: Pick<Tunnel, 'accept'>;
  readonly release: Release;
  /** What everybody may read. */
  readonly staticDir: string;
  readonly downloads?: DownloadLimits;
  /** Whether this server can serve joiners: the datastore is up. */
  readonly isReady: () => boolean;
  readonly after: readonly ComponentName[];
  readonly log: Log;
}

export interface Api extends Component {
  /** The port it listens on, once started. */
  port(): number;
  /** Reloads a renewed certificate; open connections keep the old one. */
  reloadCertificate(): void;
}

export function createApi(options: ApiOptions): Api {
  const { address, port, leaf, after, log } = options;
  const condition = conditionTracker();
  // Nodes show who they are; joiners cannot yet. Whoever must be a node is asked for it route by route.
  const credentials = () => ({
    cert: readBytes(leaf.certFile),
    key: readBytes(leaf.keyFile),
    ca: options.clientTrust.pem,
  });
  let server: Server | undefined;
  const reload = (): void => server?.setSecureContext(credentials());
  options.clientTrust.onChange(reload);
  let upgrades: Upgrades | undefined;
  return {
    name: 'supervisor-api',
    after,
    async start() {
      const serverOptions = {
        ...credentials(),
        minVersion: 'TLSv1.2' as const,
        ...deadlines,
        maxHeaderSize: 16 * 1024,
        requestCert: true,
        rejectUnauthorized: false,
      };
      const routes = apiRoutes({ ...options, downloads: options.downloads ?? downloadLimits });
      server = createAdaptorServer({ fetch: routes.fetch, createServer, serverOptions }) as Server;
      server.timeout = idleMs;
      shareConnections(server, log);
      upgrades = createUpgrades(options);
      server.on('upgrade', (request, socket, head) => upgrades?.handle(request, socket, head));
      // Plain HTTP and foreign TLS at this port are nobody's failure.
      server.on('tlsClientError', (error) => log.debug('tls handshake failed', { error }));
      await listenOnPort(server, { address, port }, (cause) => new PortTakenError(address, port, cause));
      condition.set('True', 'Listening', '');
    },
    async stop() {
      const stopped = server;
      server = undefined;
      if (stopped === undefined) return;
      await new Promise<void>((resolve) => {
        stopped.close(() => resolve());
        upgrades?.close(); // they are no longer the server's own
        stopped.closeAllConnections();
      });
      await options.release.close();
      condition.set('False', 'Stopped', '');
    },
    health: () => condition.current(),
    port: () => (server?.address() as AddressInfo | undefined)?.port ?? port,
    reloadCertificate: reload,
  };
}

export { localRoutes } from './local.ts';
export { PortTakenError, BodyInvalidError } from './errors.ts';
