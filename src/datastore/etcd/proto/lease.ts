/** Messages of the Lease service. Spec: etcd v3.7 rpc.proto. */
import type { LeaseId, LeaseInfo, Revision } from '../../store/store.ts';
import type { Header } from './header.ts';
import { writeHeader } from './header.ts';
import type { ProtoReader, ProtoWriter } from '../../../shared/protobuf/protobuf.ts';

export interface LeaseGrant {
  readonly ttlSeconds: number;
  readonly id: LeaseId;
}

export function readLeaseGrant(reader: ProtoReader): LeaseGrant {
  let ttlSeconds = 0;
  let id = 0n as LeaseId;
  while (reader.next()) {
    if (reader.field === 1) ttlSeconds = reader.int();
    else if (reader.field === 2) id = reader.bigint() as LeaseId;
    else reader.skip();
  }
  return { ttlSeconds, id };
}

/** LeaseRevokeRequest, LeaseKeepAliveRequest and LeaseTimeToLiveRequest: an id, and for the last one `keys`. */
export function readLeaseQuery(reader: ProtoReader): { readonly id: LeaseId; readonly withKeys: boolean } {
  let id = 0n as LeaseId;
  let withKeys = false;
  while (reader.next()) {
    if (reader.field === 1) id = reader.bigint() as LeaseId;
    else if (reader.field === 2) withKeys = reader.bool();
    else reader.skip();
  }
  return { id, withKeys };
}

/** LeaseGrantResponse and LeaseKeepAliveResponse look the same. */
export function writeLeaseTtl(
  writer: ProtoWriter,
  header: Header,
  revision: Revision,
  lease: { readonly id: LeaseId; readonly ttlSeconds: number },
): void {
  writeHeader(writer, header, revision);
  writer.bigint(2, lease.id);
  writer.int(3, lease.ttlSeconds);
}

export function writeTimeToLive(writer: ProtoWriter, header: Header, revision: Revision, lease: LeaseInfo): void {
  writeLeaseTtl(writer, header, revision, lease);
  writer.int(4, lease.grantedTtlSeconds);
  for (const key of lease.keys) writer.record(5, key);
}

export function writeLeases(writer: ProtoWriter, header: Header, revision: Revision, ids: readonly LeaseId[]): void {
  writeHeader(writer, header, revision);
  for (const id of ids) writer.message(2, () => writer.bigint(1, id));
}
