import { getConnInfo } from '@hono/node-server/conninfo';
import { Hono, type Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import * as z from 'zod';
import { KagentError } from '../../shared/errors.ts';
import type { Log } from '../../shared/log/log.ts';
import { JoinRequest } from '../../shared/protocol/join.ts';
import { Secret } from '../../shared/secret.ts';
import type { JoinDoor } from '../join/join.ts';
import { BodyInvalidError, BodyTooLargeError, NoTokenError } from './errors.ts';
import { problemResponse } from './problem.ts';

/** Four signing requests and some names take 3 KiB. */
const maxJoinBytes = 64 * 1024;

export function apiRoutes(options: {
  readonly caPem: string;
  readonly joinDoor: JoinDoor;
  readonly isReady: () => boolean;
  readonly log: Log;
}): Hono {
  const { caPem, joinDoor, isReady, log } = options;
  const app = new Hono();

  // For who does not trust this server yet: a joiner compares it with its token's hash.
  app.get('/cacerts', (context) => context.body(caPem, 200, { 'content-type': 'application/x-pem-file' }));
  app.get('/ping', (context) => context.text('pong'));
  app.get('/readyz', (context) => (isReady() ? context.text('ok') : context.text('not ready', 503)));

  const limit = bodyLimit({
    maxSize: maxJoinBytes,
    onError: () => problemResponse(new BodyTooLargeError(maxJoinBytes)),
  });
  app.post('/v1/join', limit, async (context) => {
    const secret = bearer(context);
    const address = getConnInfo(context).remote.address ?? '';
    joinDoor.authenticate({ secret, address }); // before the body is looked at
    const request = await bodyOf(context, JoinRequest);
    return context.json(await joinDoor.join(request, { secret, address }));
  });

  app.notFound(() => new Response('not found', { status: 404 }));
  app.onError((error) => {
    if (!(error instanceof KagentError) || error.fault !== 'peer') log.error('request failed', { error });
    else log.debug('request refused', { code: error.code, error });
    return problemResponse(error);
  });
  return app;
}

/** @throws {NoTokenError} */
function bearer(context: Context): Secret {
  const match = /^Bearer (\S+)$/.exec(context.req.header('authorization') ?? '');
  if (match?.[1] === undefined) throw new NoTokenError();
  return new Secret(match[1]);
}

/** @throws {BodyInvalidError} */
async function bodyOf<T>(context: Context, schema: z.ZodType<T>): Promise<T> {
  const parsed = schema.safeParse(await context.req.json().catch(() => undefined));
  if (!parsed.success) throw new BodyInvalidError(z.prettifyError(parsed.error));
  return parsed.data;
}
