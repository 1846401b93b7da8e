/** Failures as etcd says them: gRPC codes and etcd's exact words, which clients map back by text. */
import {
  CompactedError,
  FutureRevisionError,
  InvalidRequestError,
  KeyNotFoundError,
  LeaseExistsError,
  LeaseNotFoundError,
  LeaseTtlTooLargeError,
  NoSpaceError,
  StoreBusyError,
  StoreClosedError,
  StoreCorruptError,
} from '../store/store.ts';
import type { InvalidRequestReason } from '../store/store.ts';
import { messageOf } from '../../shared/errors.ts';
import { GrpcError, grpcCodes } from '../../shared/grpc/grpc.ts';
import type { GrpcStatus } from '../../shared/grpc/grpc.ts';
import { MalformedMessageError } from '../../shared/protobuf/protobuf.ts';

/** @see etcd v3.7 api/v3rpc/rpctypes/error.go */
export const compactedMessage = 'etcdserver: mvcc: required revision has been compacted';

const invalidRequests: Readonly<Record<InvalidRequestReason, string>> = {
  'empty key': 'etcdserver: key is not provided',
  'empty operation': 'etcdserver: key not found',
  'value given with ignore_value': 'etcdserver: value is provided',
  'lease given with ignore_lease': 'etcdserver: lease is provided',
  'too many operations': 'etcdserver: too many operations in txn request',
  'duplicate key': 'etcdserver: duplicate key given in txn request',
  'unknown sort option': 'etcdserver: invalid sort option',
  'request too large': 'etcdserver: request is too large',
};

export function toStatus(error: unknown): GrpcStatus {
  const status = (code: keyof typeof grpcCodes, message: string): GrpcStatus => ({ code: grpcCodes[code], message });
  if (error instanceof GrpcError) return error.status;
  if (error instanceof CompactedError) return status('outOfRange', compactedMessage);
  if (error instanceof FutureRevisionError) {
    return status('outOfRange', 'etcdserver: mvcc: required revision is a future revision');
  }
  if (error instanceof InvalidRequestError) return status('invalidArgument', invalidRequests[error.reason]);
  if (error instanceof KeyNotFoundError) return status('invalidArgument', 'etcdserver: key not found');
  if (error instanceof LeaseNotFoundError) return status('notFound', 'etcdserver: requested lease not found');
  if (error instanceof LeaseExistsError) return status('failedPrecondition', 'etcdserver: lease already exists');
  if (error instanceof LeaseTtlTooLargeError) return status('outOfRange', 'etcdserver: too large lease TTL');
  if (error instanceof MalformedMessageError) {
    return status('internal', `grpc: error unmarshalling request: proto: ${error.message}`);
  }
  if (error instanceof NoSpaceError) return status('resourceExhausted', 'etcdserver: mvcc: database space exceeded');
  if (error instanceof StoreBusyError) return status('resourceExhausted', 'etcdserver: too many requests');
  if (error instanceof StoreCorruptError) return status('dataLoss', 'etcdserver: corrupt cluster');
  if (error instanceof StoreClosedError) return status('unavailable', 'etcdserver: server stopped');
  return status('unknown', messageOf(error));
}

/** Services that etcd makes of its own client say every failure of the store in its words, but without its code. */
export async function asClientSaysIt<T>(answer: () => Promise<T>): Promise<T> {
  try {
    return await answer();
  } catch (error) {
    throw new GrpcError('unknown', toStatus(error).message);
  }
}
