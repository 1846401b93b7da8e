/** How a call ended. */
export interface GrpcStatus {
  readonly code: number;
  readonly message: string;
}

/** https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
export const grpcCodes = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  notFound: 5,
  resourceExhausted: 8,
  failedPrecondition: 9,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
} as const;

/** A failure that is known by its status alone, because it concerns the call and not the store. */
export class GrpcError extends Error {
  readonly status: GrpcStatus;
  constructor(code: keyof typeof grpcCodes, message: string) {
    super(message);
    this.status = { code: grpcCodes[code], message };
  }
}
