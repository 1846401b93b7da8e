/** The way to an etcd: a unix socket or plain TCP on this host. */
import { GrpcChannel } from '../../shared/grpc/grpc.ts';
import type { GrpcTarget } from '../../shared/grpc/grpc.ts';
import { parseListenAddress } from '../etcd/etcd.ts';
import { EtcdCallError } from './errors.ts';

/** @param address `unix:///PATH` or `http://127.0.0.1:PORT` @throws {InvalidListenAddressError}; calls {EtcdCallError} */
export function etcdChannel(address: string): GrpcChannel {
  return new GrpcChannel({
    targets: [targetOf(address)],
    toError: ({ code, message }, _path, cause) => new EtcdCallError(code, message, { cause }),
  });
}

function targetOf(text: string): GrpcTarget {
  const address = parseListenAddress(text);
  return address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port };
}
