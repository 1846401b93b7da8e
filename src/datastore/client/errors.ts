import { KagentError } from '../../shared/errors.ts';
import { grpcCodes } from '../../shared/grpc/grpc.ts';

/** A call to an etcd that did not succeed; the message is the server's own. */
export class EtcdCallError extends KagentError {
  readonly code = 'DATASTORE_CALL';
  readonly fault = 'peer';
  readonly grpcCode: number;
  /** Nobody answered, or not to the end. */
  get isConnectionLost(): boolean {
    return this.grpcCode === grpcCodes.unavailable;
  }
  constructor(grpcCode: number, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.grpcCode = grpcCode;
  }
}
