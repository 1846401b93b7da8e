/** etcd's default `--max-request-bytes`. */
export const maxRequestBytes = 1.5 * 1024 * 1024;
/** What etcd lets gRPC receive beyond that. */
export const maxMessageBytes = maxRequestBytes + 512 * 1024;
