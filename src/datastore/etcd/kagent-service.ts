/**
 * What kagent's own commands ask beyond etcd's API: one service, whose answers are JSON in a bytes field.
 * Spec: the shapes of `StoreStats` and `PrefixUsage`, and `UsageQuery` here.
 */
import * as z from 'zod';
import type { Revision, Store } from '../store/store.ts';
import { unary } from './methods.ts';
import { GrpcError, newMessage } from '../../shared/grpc/grpc.ts';
import type { GrpcMethod } from '../../shared/grpc/grpc.ts';
import type { ProtoReader, ProtoWriter } from '../../shared/protobuf/protobuf.ts';

export const kagentService = '/kagent.datastore.v1.Datastore';

const UsageQuery = z.object({ depth: z.int().min(1).max(20), sinceRevision: z.int().min(0) });

export function kagentMethods(store: Store): [string, GrpcMethod][] {
  return [
    [`${kagentService}/Stats`, unary(async () => answer({ ...(await store.stats()), alarms: alarmsOf(store) }))],
    [`${kagentService}/Usage`, unary(async (request) => answer(await usage(store, request)))],
  ];
}

function alarmsOf(store: Store): readonly string[] {
  return store.alarms.list().map(({ type }) => type);
}

async function usage(store: Store, request: ProtoReader) {
  const query = UsageQuery.safeParse(question(request));
  if (!query.success) throw new GrpcError('invalidArgument', z.prettifyError(query.error));
  return store.usage(query.data.depth, query.data.sinceRevision as Revision);
}

function question(request: ProtoReader): unknown {
  let text = '{}';
  while (request.next()) {
    if (request.field === 1) text = request.bytesView().toString('utf8');
    else request.skip();
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new GrpcError('invalidArgument', 'the question is no JSON');
  }
}

function answer(value: unknown): ProtoWriter {
  const reply = newMessage();
  reply.text(1, JSON.stringify(value));
  return reply;
}
