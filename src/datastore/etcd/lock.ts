/**
 * The Lock service: a lock belongs to whoever stands first in the line of its name, until that one's key or lease ends.
 * Spec: etcd v3.7 v3lock.proto and api/v3lock.
 */
import type { Key, LeaseId, Store } from '../store/store.ts';
import { currentOf, leaveLine, standInLine, waitForTurn } from './contenders.ts';
import { unary, waiting } from './methods.ts';
import type { Header } from './proto/header.ts';
import { replyWithHeader } from './reply.ts';
import { asClientSaysIt } from './status.ts';
import type { ProtoReader, ProtoWriter } from '../../shared/protobuf/protobuf.ts';
import { GrpcError } from '../../shared/grpc/grpc.ts';
import type { GrpcMethod } from '../../shared/grpc/grpc.ts';

export function lockMethods(store: Store, header: Header): [string, GrpcMethod][] {
  return [
    ['/v3lockpb.Lock/Lock', waiting((request, signal) => asClientSaysIt(() => lock(store, header, request, signal)))],
    ['/v3lockpb.Lock/Unlock', unary((request) => asClientSaysIt(() => unlock(store, header, request)))],
  ];
}

async function lock(store: Store, header: Header, request: ProtoReader, signal: AbortSignal): Promise<ProtoWriter> {
  const { place, revision } = await standInLine(store, { ...readLock(request), value: Buffer.alloc(0) });
  let lockedAt = revision;
  try {
    if (await waitForTurn(store, place, signal)) {
      const own = await currentOf(store, place.key);
      if (own.kv === undefined) throw new GrpcError('unknown', 'mutex: session is expired');
      lockedAt = own.revision;
    }
  } catch (error) {
    if (signal.aborted) await leaveLine(store, place);
    throw error;
  }
  const reply = replyWithHeader(header, lockedAt);
  reply.bytes(2, place.key);
  return reply;
}

async function unlock(store: Store, header: Header, request: ProtoReader): Promise<ProtoWriter> {
  const key = Buffer.from(readLock(request).name) as Uint8Array as Key;
  const { revision } = await store.txn({
    kind: 'txn',
    compare: [],
    success: [{ kind: 'deleteRange', range: { key }, prevKv: false }],
    failure: [],
  });
  return replyWithHeader(header, revision);
}

/** LockRequest; UnlockRequest has a key in the place of the name, and nothing else. */
function readLock(reader: ProtoReader): { readonly name: Uint8Array; readonly lease: LeaseId } {
  let name: Uint8Array = Buffer.alloc(0);
  let lease = 0n as LeaseId;
  while (reader.next()) {
    if (reader.field === 1) name = reader.bytesView();
    else if (reader.field === 2) lease = reader.bigint() as LeaseId;
    else reader.skip();
  }
  return { name, lease };
}
