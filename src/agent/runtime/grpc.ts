/** Calls to containerd: what a start and an end make few of has a connection each, what is asked again and again keeps one. */
import { GrpcChannel } from '../../shared/grpc/grpc.ts';
import type { GrpcChannelOptions, Write } from '../../shared/grpc/grpc.ts';
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
  const channel = new GrpcChannel(channelTo(call.socketPath));
  try {
    return await channel.unary(`/${method}`, write, read, { signal, headers });
  } finally {
    await channel.close();
  }
}

/** @returns the same call without an argument, over one connection, which is opened anew when it was lost or the call has failed */
export function repeatedCall({ socketPath, method }: Pick<UnaryCall, 'socketPath' | 'method'>) {
  const channel = new GrpcChannel({ ...channelTo(socketPath), unref: true });
  /** @throws {GrpcError} */
  return async (signal: AbortSignal): Promise<void> => {
    try {
      await channel.unary(
        `/${method}`,
        () => {},
        () => {},
        { signal },
      );
    } catch (error) {
      await channel.close();
      throw error;
    }
  };
}

function channelTo(path: string): GrpcChannelOptions {
  return {
    targets: [{ path }],
    toError: ({ code, message }, method, cause) => new GrpcError(method.slice(1), code, message, { cause }),
  };
}
