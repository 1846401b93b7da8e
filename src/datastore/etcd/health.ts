/** gRPC's own health check. As in etcd, the server as a whole is the only service it knows. Spec: grpc/grpc doc/health-checking.md. */
import { once } from 'node:events';
import type { ProtoReader, ProtoWriter } from '../../shared/protobuf/protobuf.ts';
import { streaming, unary } from './methods.ts';
import { GrpcError, newMessage } from '../../shared/grpc/grpc.ts';
import type { GrpcMethod } from '../../shared/grpc/grpc.ts';

const serving = 1;
const serviceUnknown = 3;

export function healthMethods(): [string, GrpcMethod][] {
  return [
    ['/grpc.health.v1.Health/Check', unary(check)],
    ['/grpc.health.v1.Health/List', unary(list)],
    ['/grpc.health.v1.Health/Watch', streaming(watch)],
  ];
}

async function check(request: ProtoReader): Promise<ProtoWriter> {
  if (readService(request) !== '') throw new GrpcError('notFound', 'unknown service');
  return statusMessage(serving);
}

async function list(): Promise<ProtoWriter> {
  const reply = newMessage();
  reply.message(1, () => {
    reply.text(1, '');
    reply.message(2, () => reply.int(1, serving));
  });
  return reply;
}

/** One answer, and the next when it changes: which is when the server goes, and the connection with it. */
async function* watch(request: ProtoReader, signal: AbortSignal): AsyncGenerator<ProtoWriter> {
  yield statusMessage(readService(request) === '' ? serving : serviceUnknown);
  await once(signal, 'abort');
}

function statusMessage(status: number): ProtoWriter {
  const reply = newMessage();
  reply.int(1, status);
  return reply;
}

function readService(request: ProtoReader): string {
  let service = '';
  while (request.next()) {
    if (request.field === 1) service = request.bytesView().toString('utf8');
    else request.skip();
  }
  return service;
}
