/** The Lease service. */
import { ProtoReader } from '../../shared/protobuf/protobuf.ts';
import type { ProtoWriter } from '../../shared/protobuf/protobuf.ts';
import type { Store } from '../store/store.ts';
import { newMessage } from '../../shared/grpc/grpc.ts';
import type { GrpcCall, GrpcHandler, GrpcMethod } from '../../shared/grpc/grpc.ts';
import { cutMessage, unary } from './methods.ts';
import { writeHeader } from './proto/header.ts';
import type { Header } from './proto/header.ts';
import { readLeaseGrant, readLeaseQuery, writeLeases, writeLeaseTtl, writeTimeToLive } from './proto/lease.ts';
import { toStatus } from './status.ts';

export function leaseMethods(store: Store, header: Header): [string, GrpcMethod][] {
  return [
    ['/etcdserverpb.Lease/LeaseGrant', unary((request) => grant(store, header, request))],
    ['/etcdserverpb.Lease/LeaseRevoke', unary((request) => revoke(store, header, request))],
    ['/etcdserverpb.Lease/LeaseKeepAlive', (call) => keepAlive(store, header, call)],
    ['/etcdserverpb.Lease/LeaseTimeToLive', unary((request) => timeToLive(store, header, request))],
    ['/etcdserverpb.Lease/LeaseLeases', unary(() => list(store, header))],
  ];
}

async function grant(store: Store, header: Header, request: ProtoReader): Promise<ProtoWriter> {
  const { id, ttlSeconds } = readLeaseGrant(request);
  const lease = await store.leases.grant(id, ttlSeconds);
  const reply = newMessage();
  writeLeaseTtl(reply, header, store.revision, lease);
  return reply;
}

async function revoke(store: Store, header: Header, request: ProtoReader): Promise<ProtoWriter> {
  const revision = await store.leases.revoke(readLeaseQuery(request).id);
  const reply = newMessage();
  writeHeader(reply, header, revision);
  return reply;
}

async function timeToLive(store: Store, header: Header, request: ProtoReader): Promise<ProtoWriter> {
  const { id, withKeys } = readLeaseQuery(request);
  const lease = await store.leases.timeToLive(id, withKeys);
  const reply = newMessage();
  writeTimeToLive(reply, header, store.revision, lease);
  return reply;
}

async function list(store: Store, header: Header): Promise<ProtoWriter> {
  const ids = await store.leases.list();
  const reply = newMessage();
  writeLeases(reply, header, store.revision, ids);
  return reply;
}

/** A stream of requests, answered in order. */
function keepAlive(store: Store, header: Header, call: GrpcCall): GrpcHandler {
  let isOpen = true;
  let last: Promise<void> = Promise.resolve();
  const answer = async (request: ProtoReader): Promise<void> => {
    if (!isOpen) return;
    try {
      const { id } = readLeaseQuery(request);
      // Taken before: a lease that ends at revision R is not seen kept alive at a later one.
      const { revision } = store;
      const ttlSeconds = await store.leases.keepAlive(id);
      const reply = newMessage();
      writeLeaseTtl(reply, header, revision, { id, ttlSeconds });
      if (isOpen) call.send(reply);
    } catch (error) {
      if (isOpen) call.error(toStatus(error));
      isOpen = false;
    }
  };
  return {
    message: (bytes) => {
      const request = new ProtoReader(Buffer.from(bytes));
      last = last.then(() => answer(request));
    },
    end: (isCut) => {
      void last.then(() => {
        if (!isOpen) return;
        if (isCut) call.error(cutMessage);
        else call.finish();
      });
    },
    drained: () => {},
    closed: () => {
      isOpen = false;
    },
  };
}
