import type { Duplex } from 'node:stream';
import type { HttpBindings } from '@hono/node-server';
import { getConnInfo } from '@hono/node-server/conninfo';
import { Hono } from 'hono';
import type { Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import * as z from 'zod';
import { KagentError } from '../../shared/errors.ts';
import type { Log } from '../../shared/log/log.ts';
import { drainPath, DrainRequest } from '../../shared/protocol/drain.ts';
import { JoinRequest } from '../../shared/protocol/join.ts';
import { ProbeRequest } from '../../shared/protocol/probe.ts';
import { etcdMembersPath, NewMember, serverFilesPath } from '../../shared/protocol/servers.ts';
import { Rate } from '../../shared/rate/rate.ts';
import { secretOfBearer } from '../../shared/token/token.ts';
import type { Release } from '../release/release.ts';
import type { Peer } from '../identity/identity.ts';
import type { JoinService, Joiner, ServerJoin } from '../join/join.ts';
import { revokedPath } from '../control-plane/control-plane.ts';
import type { TrustBundle } from '../pki/pki.ts';
import type { Probes } from '../probe/probe.ts';
import type { Nodes } from '../nodes/nodes.ts';
import {
  BodyInvalidError,
  BodyTooLargeError,
  DrainBusyError,
  NoCertificateError,
  NoTokenError,
  RequestAbortedError,
} from './errors.ts';
import type { DownloadLimits } from './downloads.ts';
import { peerNode, peerNodeOrExpired, plainAddress } from './peer.ts';
import { problemResponse } from './problem.ts';
import type { Asker } from './problem.ts';
import { releaseRoutes } from './release-routes.ts';
import { fileSender } from './send-file.ts';
import { staticRoutes } from './static-routes.ts';

/** Four signing requests and some names take 3 KiB. */
const maxJoinBytes = 64 * 1024;

export interface ApiRoutesOptions {
  readonly serverTrust: TrustBundle;
  readonly clientTrust: TrustBundle;
  readonly joinService: JoinService;
  readonly serverJoin: ServerJoin;
  readonly release: Release;
  readonly staticDir: string;
  readonly downloads: DownloadLimits;
  readonly probes: Probes;
  readonly nodes: Pick<Nodes, 'drain'>;
  readonly isReady: () => boolean;
  readonly log: Log;
}

type Api = Hono<{ Bindings: HttpBindings }>;

const limit = bodyLimit({
  maxSize: maxJoinBytes,
  onError: () => problemResponse(new BodyTooLargeError(maxJoinBytes)),
});

export function apiRoutes(options: ApiRoutesOptions): Api {
  const { serverTrust, isReady, log } = options;
  const app: Api = new Hono();

  // For who does not trust this server yet: a joiner compares it with its token's hash.
  app.get('/cacerts', (context) => context.body(serverTrust.pem, 200, { 'content-type': 'application/x-pem-file' }));
  app.get('/ping', (context) => context.text('pong'));
  app.get('/readyz', (context) => (isReady() ? context.text('ok') : context.text('not ready', 503)));
  joinRoutes(app, options);
  const sendFile = fileSender(options.downloads);
  app.route('/', releaseRoutes(options.release, sendFile));
  app.route('/', staticRoutes(options.staticDir, sendFile));
  drainRoute(app, options);
  serverRoutes(app, options);

  // What kube-apiserver asks about those alone who have lost their identity: the answer is always no.
  app.post(revokedPath, (context) =>
    context.json({
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      status: { allowed: false, denied: true, reason: 'this node was removed from the cluster, or replaced' },
    }),
  );

  app.notFound(() => new Response('not found', { status: 404 }));
  app.onError((error) => refusal(error, log));
  return app;
}

/** What is asked with a token, or by a node that has joined. */
function joinRoutes(app: Api, { joinService, probes, clientTrust }: ApiRoutesOptions): void {
  /** Before the body is read. */
  const authenticated = async (
    context: Context<{ readonly Bindings: HttpBindings }>,
    peerOf: (socket: Duplex) => Peer | undefined = peerNode,
  ): Promise<Joiner> => {
    const from = joinerOf(context, peerOf);
    await joinService.authenticate(from);
    return from;
  };
  app.post('/v1/join', limit, async (context) => {
    const from = await authenticated(context, (socket) => peerNodeOrExpired(socket, clientTrust));
    return context.json(await joinService.join(await bodyOf(context, JoinRequest), from));
  });
  app.post('/v1/probes', limit, async (context) => {
    const from = await authenticated(context);
    const localAddress = plainAddress(context.env.incoming.socket.localAddress);
    return context.json(await probes.open(await bodyOf(context, ProbeRequest), { ...from, localAddress }));
  });
  app.get('/v1/probes/:id', async (context) => {
    const from = await authenticated(context);
    return context.json(probes.seen(context.req.param('id'), from));
  });
}

/** For servers that join. */
function serverRoutes(app: Api, { joinService, serverJoin }: ApiRoutesOptions): void {
  const byServerToken = (context: Context<{ readonly Bindings: HttpBindings }>) =>
    joinService.authenticateServer(joinerOf(context, peerNode));
  app.get(serverFilesPath, async (context) => {
    return context.json(serverJoin.files(await byServerToken(context)));
  });
  app.post(etcdMembersPath, limit, async (context) => {
    await byServerToken(context);
    return context.json(await serverJoin.addMember(await bodyOf(context, NewMember)));
  });
}

/** For a node itself alone: which one it is, its certificate says. */
function drainRoute(app: Api, { joinService, nodes }: ApiRoutesOptions): void {
  const draining = new Set<string>();
  const drainRate = new Rate({ burst: 5, perSecond: 0.1 });
  app.post(drainPath, limit, async (context) => {
    const { socket } = context.env.incoming;
    const { signal } = context.req.raw;
    const peer = peerNode(socket);
    if (peer === undefined) throw new NoCertificateError();
    const { nodeName } = peer;
    await joinService.authenticate({ ...peer, address: addressOf(context) });
    const request = await bodyOf(context, DrainRequest);
    if (draining.has(nodeName) || !drainRate.take(nodeName)) throw new DrainBusyError(nodeName);
    draining.add(nodeName);
    socket.setTimeout(0); // it is silent for as long as pods take to end
    try {
      return context.json(await nodes.drain(nodeName, request, signal));
    } catch (error) {
      if (signal.aborted) throw new RequestAbortedError();
      throw error;
    } finally {
      draining.delete(nodeName);
    }
  });
}

/** What a request that fails is answered; what is our own failure is logged. */
export function refusal(error: Error, log: Log, asker: Asker = {}): Response {
  if (error.name === 'AbortError') log.debug('request ended', { error }); // by a stop of this server
  else if (!(error instanceof KagentError) || error.fault !== 'peer') log.error('request failed', { error });
  else log.debug('request refused', { code: error.code, error });
  return problemResponse(error, asker);
}

/** By its token; a node that has joined needs none. @throws {NoTokenError} */
function joinerOf(
  context: Context<{ readonly Bindings: HttpBindings }>,
  peerOf: (socket: Duplex) => Peer | undefined,
): Joiner {
  const address = addressOf(context);
  const reachedAt = plainAddress(context.env.incoming.socket.localAddress);
  const secret = secretOfBearer(context.req.header('authorization'));
  if (secret !== undefined) return { address, reachedAt, secret };
  const peer = peerOf(context.env.incoming.socket);
  if (peer === undefined) throw new NoTokenError();
  return { address, reachedAt, ...peer };
}

function addressOf(context: Context): string {
  return plainAddress(getConnInfo(context).remote.address);
}

/** @throws {BodyInvalidError} */
export async function bodyOf<T>(context: Pick<Context, 'req'>, schema: z.ZodType<T>): Promise<T> {
  const parsed = schema.safeParse(await context.req.json().catch(() => undefined));
  if (!parsed.success) throw new BodyInvalidError(z.prettifyError(parsed.error));
  return parsed.data;
}
