/** Calls to containerd, each over a connection of its own: a start and an end make few. */
import { GrpcChannel } from '../../shared/grpc/grpc.ts';
import type { Write } from '../../shared/grpc/grpc.ts';
import type { ProtoReader } from '../../shared/protobuf/protobuf.ts';
import { GrpcError } from './errors.ts';

export interface UnaryCall {
  readonly socketPath: string;
  /** `package.Service/Method` */
  readonly method: string;
  readonly write?: Write;
  readonly headers?: Readonly<Record<string, string>>;
}

/** @throws {GrpcError} */
export async function unaryCall<T>(call: UnaryCall, read: (reply: ProtoReader) => T, signal: AbortSignal): Promise<T> {
  const { method, write = () => {}, headers = {} } = call;
  const channel = new GrpcChannel({
    targets: [{ path: call.socketPath }],
    toError: ({ code, message }, _path, cause) => new GrpcError(method, code, message, { cause }),
  });
  try {
    return await channel.unary(`/${method}`, write, read, { signal, headers });
  } finally {
    await channel.close();
  }
}
