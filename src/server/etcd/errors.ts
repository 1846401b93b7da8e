/** What can go wrong with the etcd door itself. */
import { KagentError } from '../../shared/errors.ts';

export class InvalidListenAddressError extends KagentError {
  readonly code = 'DATASTORE_LISTEN_ADDRESS';
  readonly fault = 'operator';
  constructor(address: string, why: string) {
    super(`cannot listen on ${address}: ${why}; use unix:///PATH, http://127.0.0.1:PORT or https://HOST:PORT`);
  }
}

export class ListenAddressInUseError extends KagentError {
  readonly code = 'DATASTORE_LISTEN_IN_USE';
  readonly fault = 'operator';
  constructor(address: string, options?: { readonly cause?: unknown }) {
    super(`${address} is in use by another process; stop it first, or choose another --listen`, options);
  }
}

/** Of gRPC's codes. */
const unavailable = 14;

/** A call to an etcd that did not succeed; the message is the server's own. */
export class EtcdCallError extends KagentError {
  readonly code = 'DATASTORE_CALL';
  readonly fault = 'peer';
  readonly grpcCode: number;
  /** Nobody answered, or not to the end. */
  get isConnectionLost(): boolean {
    return this.grpcCode === unavailable;
  }
  constructor(grpcCode: number, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.grpcCode = grpcCode;
  }
}
