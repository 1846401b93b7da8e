/** What can go wrong with the etcd server itself. */
import { KagentError } from '../../shared/errors.ts';

export class InvalidListenAddressError extends KagentError {
  readonly code = 'DATASTORE_LISTEN_ADDRESS';
  readonly fault = 'operator';
  constructor(address: string, why: string) {
    super(`cannot listen on ${address}: ${why}`, {
      remedy: 'use unix:///PATH, http://127.0.0.1:PORT or https://HOST:PORT',
    });
  }
}

export class ListenAddressInUseError extends KagentError {
  readonly code = 'DATASTORE_LISTEN_IN_USE';
  readonly fault = 'operator';
  constructor(address: string, options?: { readonly cause?: unknown }) {
    super(`${address} is in use by another process`, {
      ...options,
      remedy: 'stop it first, or choose another --listen',
    });
  }
}
