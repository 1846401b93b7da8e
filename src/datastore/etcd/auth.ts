/**
 * The Auth service, as an etcd answers whose authentication is off and that has no users: who may connect is decided by
 * client certificates and the socket's mode.
 */
import type { Store } from '../store/store.ts';
import { unary } from './methods.ts';
import type { Header } from './proto/header.ts';
import { replyWithHeader } from './reply.ts';
import { GrpcError } from '../../shared/grpc/grpc.ts';
import type { GrpcMethod } from '../../shared/grpc/grpc.ts';
import type { ProtoReader, ProtoWriter } from '../../shared/protobuf/protobuf.ts';

/** Grows with each change of users and roles, so never. */
const authRevision = 1;

export function authMethods(store: Store, header: Header): [string, GrpcMethod][] {
  const nothing = async (): Promise<ProtoWriter> => replyWithHeader(header, store.revision);
  const status = async (): Promise<ProtoWriter> => {
    const reply = replyWithHeader(header, store.revision);
    reply.int(3, authRevision);
    return reply;
  };
  return [
    ['/etcdserverpb.Auth/AuthStatus', unary(status)],
    ['/etcdserverpb.Auth/AuthEnable', unary(refuse('root user does not exist'))],
    ['/etcdserverpb.Auth/AuthDisable', unary(nothing)],
    ['/etcdserverpb.Auth/Authenticate', unary(refuse('authentication is not enabled'))],
    ['/etcdserverpb.Auth/UserAdd', unary(add('user'))],
    ['/etcdserverpb.Auth/UserList', unary(nothing)],
    ['/etcdserverpb.Auth/RoleAdd', unary(add('role'))],
    ['/etcdserverpb.Auth/RoleList', unary(nothing)],
    ['/etcdserverpb.Auth/RoleGrantPermission', unary(grantPermission)],
    ...['UserGet', 'UserDelete', 'UserChangePassword', 'UserGrantRole', 'UserRevokeRole'].map(
      (name): [string, GrpcMethod] => [`/etcdserverpb.Auth/${name}`, unary(refuse('user name not found'))],
    ),
    ...['RoleGet', 'RoleDelete', 'RoleRevokePermission'].map((name): [string, GrpcMethod] => [
      `/etcdserverpb.Auth/${name}`,
      unary(refuse('role name not found')),
    ]),
  ];
}

function refuse(why: string): () => Promise<never> {
  return async () => {
    throw new GrpcError('failedPrecondition', `etcdserver: ${why}`);
  };
}

function add(what: 'user' | 'role'): (request: ProtoReader) => Promise<never> {
  return async (request) => {
    if (!hasField(request, 1)) throw new GrpcError('invalidArgument', `etcdserver: ${what} name is empty`);
    throw new GrpcError('unimplemented', 'kagent has no users and roles; give clients certificates instead');
  };
}

async function grantPermission(request: ProtoReader): Promise<never> {
  if (!hasField(request, 2)) throw new GrpcError('invalidArgument', 'etcdserver: permission not given');
  throw new GrpcError('failedPrecondition', 'etcdserver: role name not found');
}

function hasField(request: ProtoReader, field: number): boolean {
  let isFound = false;
  while (request.next()) {
    isFound ||= request.field === field;
    request.skip();
  }
  return isFound;
}
