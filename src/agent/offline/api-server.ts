/** The socket side of the answers: TLS, who asks, streams of watch events. */
import { X509Certificate } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { TLSSocket } from 'node:tls';
import type { Log } from '../../shared/log/log.ts';
import type { Answer, Question, WatchAnswer, WatchEvent } from './answers.ts';
import type { LocalCertificate } from './certificate.ts';
import type { Program } from './resources.ts';
import { readBytes } from '../../shared/files/files.ts';

export interface OfflineApiServerOptions {
  readonly certificate: LocalCertificate;
  /** By which a client's certificate is verified. */
  readonly clientCaPath: string;
  /** Of this node's programs; nobody else is answered. */
  readonly credentials: Readonly<Record<Program, { readonly certPath: string }>>;
  readonly answer: (question: Question) => Answer;
  readonly log: Log;
}

export interface OfflineApiServer {
  /** A connection as it was accepted, before TLS. */
  take(client: Socket): void;
  stop(): void;
}

/** Watches of a few programs, each on a connection of its own, as HTTP/1.1 has it. */
export function createOfflineApiServer(options: OfflineApiServerOptions): OfflineApiServer {
  const { certificate, log } = options;
  const programs = Object.entries(options.credentials).map(([program, { certPath }]) => ({
    program: program as Program,
    subject: new X509Certificate(readBytes(certPath)).subject,
  }));
  const server: Server = createServer(
    {
      cert: certificate.certPem,
      key: certificate.keyPem,
      ca: readBytes(options.clientCaPath),
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
      keepAliveTimeout: 60_000,
    },
    (request, response) => {
      serve(request, response).catch((error: unknown) => {
        log.debug('an offline answer broke off', { error });
        response.destroy();
      });
    },
  );
  server.on('tlsClientError', (error) => log.debug('an offline connection is refused', { error }));

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = 'GET', url = '/' } = request;
    const subject = subjectOf(request);
    const program = programs.find((one) => one.subject === subject)?.program;
    if (program === undefined) {
      log.debug('an offline request of a stranger', { subject, method, url });
      return void response.writeHead(403).end();
    }
    const contentType = request.headers['content-type'] ?? '';
    const answer = options.answer({ program, method, url, contentType, body: await text(request) });
    log.debug('an offline answer', { program, method, url, status: answer.status });
    if ('watch' in answer) return stream(answer.watch, response);
    const isText = typeof answer.body === 'string';
    response.writeHead(answer.status, { 'content-type': isText ? 'text/plain' : 'application/json' });
    response.end(isText ? answer.body : JSON.stringify(answer.body));
  };

  return {
    take: (client) => void server.emit('connection', client),
    stop: () => server.closeAllConnections(),
  };
}

function subjectOf(request: IncomingMessage): string | undefined {
  if (!(request.socket instanceof TLSSocket)) return undefined;
  return request.socket.getPeerX509Certificate()?.subject;
}

/** @see https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes */
function stream(watch: WatchAnswer, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.flushHeaders(); // a client waits for them before it calls the watch begun
  const send = (event: WatchEvent) => void response.write(`${JSON.stringify(event)}\n`);
  for (const event of watch.events) send(event);
  const unfollow = watch.follow(send);
  const timer = setTimeout(() => response.end(), watch.timeoutMs);
  response.on('error', () => {}); // its close says the same
  response.once('close', () => {
    clearTimeout(timer);
    unfollow();
  });
}
