/** The connection to an etcd: a unix socket, plain TCP on this host, or TLS; to one server or to any of several. */
import { GrpcChannel } from '../../shared/grpc/grpc.ts';
import type { GrpcTarget } from '../../shared/grpc/grpc.ts';
import { parseAddress, parseListenAddress } from '../etcd/etcd.ts';
import { EtcdCallError } from './errors.ts';

/** `unix:///PATH`, `http://127.0.0.1:PORT` or `https://HOST:PORT`; of several the next one when a connection is lost. */
export interface EtcdEndpoints {
  readonly addresses: readonly [string, ...string[]];
  /** For `https`, in PEM: the only CA that is believed, those of the system unless said; and who asks. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  /** Somebody has decided that `http` may leave this host. */
  readonly isPlainAccepted?: boolean;
}

/** @throws {InvalidListenAddressError}; calls throw {EtcdCallError} */
export function etcdChannel(endpoints: string | EtcdEndpoints): GrpcChannel {
  const known: EtcdEndpoints = typeof endpoints === 'string' ? { addresses: [endpoints] } : endpoints;
  const [first, ...others] = known.addresses;
  return new GrpcChannel({
    targets: [targetOf(first, known), ...others.map((address) => targetOf(address, known))],
    toError: ({ code, message }, _path, cause) => new EtcdCallError(code, message, { cause }),
  });
}

function targetOf(text: string, { tls, isPlainAccepted }: EtcdEndpoints): GrpcTarget {
  const address = isPlainAccepted === true ? parseAddress(text) : parseListenAddress(text);
  if (address.kind === 'unix') return { path: address.path };
  const { host, port, isTls } = address;
  return isTls ? { host, port, tls: tls ?? {} } : { host, port };
}
