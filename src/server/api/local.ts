import { Hono } from 'hono';
import * as z from 'zod';
import type { Log } from '../../shared/log/log.ts';
import { Command } from '../../shared/protocol/channel.ts';
import { NewTokenRequest, NewUserRequest, RotateRequest } from '../../shared/protocol/local.ts';
import type {
  CommandOutput,
  NodeDetails,
  NodeList,
  TokenCreated,
  TokenList,
  UserCreated,
} from '../../shared/protocol/local.ts';
import { Secret } from '../../shared/secret.ts';
import { issueUserCertificate } from '../join/join.ts';
import type { TokenStore } from '../join/join.ts';
import { NodeNotConnectedError, NodeUnknownError } from '../nodes/nodes.ts';
import type { Nodes, NodeView } from '../nodes/nodes.ts';
import type { Pki } from '../pki/pki.ts';
import { summaryOf } from './node-summary.ts';
import { bodyOf, refusal } from './routes.ts';

export interface LocalRoutesOptions {
  readonly tokens: TokenStore;
  readonly nodes: Nodes;
  readonly joinUrl: string;
  /** Every name and address that the server's certificate has. */
  readonly names: () => readonly string[];
  readonly apiserverUrl: string;
  readonly pki: Pick<Pki, 'serverCa' | 'clientCa'>;
  readonly log: Log;
}

/** What `kagent token`, `kagent kubeconfig` and `kagent node` ask at the status socket, which is root's alone. */
export function localRoutes(options: LocalRoutesOptions): Hono {
  const app = new Hono();
  tokenRoutes(app, options);
  userRoutes(app, options);
  nodeRoutes(app, options.nodes);
  app.notFound(() => Response.json({}, { status: 404 }));
  app.onError((error) => refusal(error, options.log, { isRoot: true }));
  return app;
}

function tokenRoutes(app: Hono, { tokens, joinUrl, names, log }: LocalRoutesOptions): void {
  app.get('/v1/tokens', async (context) => context.json({ tokens: [...(await tokens.list())] } satisfies TokenList));
  app.post('/v1/tokens', async (context) => {
    const { secret, nodeName, ...asked } = await bodyOf(context, NewTokenRequest);
    const { token, text } = await tokens.create({
      ...asked,
      nodeName,
      secret: secret === undefined ? undefined : new Secret(secret),
    });
    log.info('token made', { token: token.id, role: token.role, node: nodeName, expiresAt: token.expiresAt });
    return context.json({ token, text: text.reveal(), joinUrl, names: [...names()] } satisfies TokenCreated);
  });
  app.delete('/v1/tokens/:id', async (context) => {
    const { id } = context.req.param();
    await tokens.delete(id);
    log.info('token deleted', { token: id });
    return context.json({});
  });
  app.post('/v1/token-rotation', async (context) => {
    const { old, next } = await bodyOf(context, RotateRequest);
    const text = tokens.rotate(new Secret(old), next === undefined ? undefined : new Secret(next));
    log.info('token replaced', {});
    return context.json({ text: text.reveal() });
  });
}

function userRoutes(app: Hono, { pki, apiserverUrl, log }: LocalRoutesOptions): void {
  app.post('/v1/users', async (context) => {
    const asked = await bodyOf(context, NewUserRequest);
    const { certPem, notAfter } = await issueUserCertificate(pki, asked);
    log.info('user certificate made', { user: asked.name, groups: asked.groups, notAfter });
    return context.json({ certPem, notAfter, caPem: pki.serverCa.trust.pem, apiserverUrl } satisfies UserCreated);
  });
}

function nodeRoutes(app: Hono, nodes: Nodes): void {
  app.get('/v1/nodes', (context) => context.json({ nodes: nodes.all().map(summaryOf) } satisfies NodeList));
  app.get('/v1/nodes/:name', async (context) => {
    const { name } = context.req.param();
    const view = nodes.all().find((node) => node.name === name);
    if (view === undefined) throw new NodeUnknownError(name);
    return context.json(detailsOf(view, await nodes.history(name)));
  });
  app.delete('/v1/nodes/:name', async (context) => {
    await nodes.remove(context.req.param('name'), { force: context.req.query('force') === 'true' });
    return context.json({});
  });
  app.post('/v1/nodes/:name/command', async (context) => {
    const { name } = context.req.param();
    const session = nodes.session(name);
    const command = await bodyOf(context, z.object({ command: Command }));
    if (session === undefined) throw new NodeNotConnectedError(name);
    return context.json({ text: await session.command(command.command) } satisfies CommandOutput);
  });
}

function detailsOf(view: NodeView, history: Awaited<ReturnType<Nodes['history']>>): NodeDetails {
  const { hello, session, object } = view;
  return {
    ...summaryOf(view),
    ...(hello !== undefined && { facts: hello.facts, machineId: hello.machineId }),
    ...(session?.heartbeat !== undefined && { beat: session.heartbeat }),
    conditions: (object?.status?.conditions ?? []).map(({ type, status, reason = '', message = '' }) => ({
      type,
      status,
      reason,
      message,
    })),
    history: [...history],
  };
}
