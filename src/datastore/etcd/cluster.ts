/** The Cluster service of a cluster that has one member and never another. */
import type { Revision } from '../store/store.ts';
import { unary } from './methods.ts';
import type { Header } from './proto/header.ts';
import { replyWithHeader } from './reply.ts';
import { GrpcError } from '../../shared/grpc/grpc.ts';
import type { GrpcMethod } from '../../shared/grpc/grpc.ts';
import type { ProtoReader, ProtoWriter } from '../../shared/protobuf/protobuf.ts';

export interface MemberOptions {
  readonly name: string;
  readonly clientUrls: readonly string[];
}

export function clusterMethods(header: Header, member: MemberOptions): [string, GrpcMethod][] {
  return [
    ['/etcdserverpb.Cluster/MemberList', unary(() => memberList(header, member))],
    ['/etcdserverpb.Cluster/MemberAdd', unary(memberAdd)],
    ['/etcdserverpb.Cluster/MemberRemove', unary(about(header, removeSelf))],
    ['/etcdserverpb.Cluster/MemberUpdate', unary(about(header, noSuchChange))],
    ['/etcdserverpb.Cluster/MemberPromote', unary(about(header, promoteSelf))],
  ];
}

/** As in etcd, the header of this answer has no revision. */
async function memberList(header: Header, { name, clientUrls }: MemberOptions): Promise<ProtoWriter> {
  const reply = replyWithHeader(header, 0 as Revision);
  reply.message(2, () => {
    reply.int(1, header.memberId);
    reply.text(2, name);
    for (const url of clientUrls) reply.text(4, url);
  });
  return reply;
}

async function memberAdd(request: ProtoReader): Promise<never> {
  const urls: string[] = [];
  while (request.next()) {
    if (request.field === 1) urls.push(request.bytesView().toString('utf8'));
    else request.skip();
  }
  if (urls.length === 0 || !urls.every(isPeerUrl)) {
    throw new GrpcError('invalidArgument', 'etcdserver: given member URLs are invalid');
  }
  throw noSuchChange();
}

function isPeerUrl(url: string): boolean {
  return /^(?:https?|unixs?):\/\/[^/]+:\d+$/.test(url);
}

/** A call that names a member: only this one exists. */
function about(header: Header, refusal: () => GrpcError) {
  return async (request: ProtoReader): Promise<never> => {
    let id = 0n;
    while (request.next()) {
      if (request.field === 1) id = request.bigint();
      else request.skip();
    }
    throw id === BigInt(header.memberId) ? refusal() : new GrpcError('notFound', 'etcdserver: member not found');
  };
}

function removeSelf(): GrpcError {
  return new GrpcError('unknown', 'etcdserver: re-configuration failed due to not enough started members');
}

function promoteSelf(): GrpcError {
  return new GrpcError('failedPrecondition', 'etcdserver: can only promote a learner member');
}

function noSuchChange(): GrpcError {
  return new GrpcError('unimplemented', "kagent's datastore has one member, which cannot be changed");
}
