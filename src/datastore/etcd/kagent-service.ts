/**
 * What kagent's own commands ask beyond etcd's API: one service, whose answers are JSON in a bytes field.
 * Spec: the shapes of `StoreStats` and `PrefixUsage`, and `UsageQuery` here. Checked by hand: a schema would bring zod into this thread,
 * a megabyte for two numbers.
 */
import type { Revision, Store } from '../store/store.ts';
import { unary } from './methods.ts';
import { GrpcError, newMessage } from '../../shared/grpc/grpc.ts';
import type { GrpcMethod } from '../../shared/grpc/grpc.ts';
import type { ProtoReader, ProtoWriter } from '../../shared/protobuf/protobuf.ts';

export const kagentService = '/kagent.datastore.v1.Datastore';

interface UsageQuery {
  /** 1 to 20. */
  readonly depth: number;
  readonly sinceRevision: Revision;
}

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
  const { depth, sinceRevision } = usageQuery(question(request));
  return store.usage(depth, sinceRevision);
}

function usageQuery(asked: unknown): UsageQuery {
  const { depth, sinceRevision } = (asked ?? {}) as Partial<Record<keyof UsageQuery, unknown>>;
  const isWithin = (value: unknown, least: number, most: number): value is number =>
    Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most;
  if (!isWithin(depth, 1, 20)) throw new GrpcError('invalidArgument', 'depth is a whole number from 1 to 20');
  if (!isWithin(sinceRevision, 0, Number.MAX_SAFE_INTEGER))
    throw new GrpcError('invalidArgument', 'sinceRevision is a whole number from 0 on');
  return { depth, sinceRevision: sinceRevision as Revision };
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
