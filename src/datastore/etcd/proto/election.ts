/** Messages of the Election service: requests in. Spec: etcd v3.7 v3election.proto. */
import type { Key, LeaseId, Revision } from '../../store/store.ts';
import type { ProtoReader } from '../../../shared/protobuf/protobuf.ts';

const none: Uint8Array = Buffer.alloc(0);

export interface Campaign {
  readonly name: Uint8Array;
  readonly lease: LeaseId;
  readonly value: Uint8Array;
}

export function readCampaign(reader: ProtoReader): Campaign {
  const campaign = { name: none, lease: 0n as LeaseId, value: none };
  while (reader.next()) {
    if (reader.field === 1) campaign.name = reader.bytesView();
    else if (reader.field === 2) campaign.lease = reader.bigint() as LeaseId;
    else if (reader.field === 3) campaign.value = reader.bytesView();
    else reader.skip();
  }
  return campaign;
}

/** LeaderRequest. */
export function readName(reader: ProtoReader): Uint8Array {
  return readCampaign(reader).name;
}

/** LeaderKey: where somebody stands in the line. */
export interface LeaderKey {
  readonly name: Uint8Array;
  readonly key: Key;
  readonly createRevision: Revision;
  readonly lease: LeaseId;
}

/** ProclaimRequest, and ResignRequest, which has no value. */
export function readProclaim(reader: ProtoReader): {
  readonly place: LeaderKey | undefined;
  readonly value: Uint8Array;
} {
  let place: LeaderKey | undefined;
  let value = none;
  while (reader.next()) {
    if (reader.field === 1) place = readLeaderKey(reader.message());
    else if (reader.field === 2) value = reader.bytesView();
    else reader.skip();
  }
  return { place, value };
}

function readLeaderKey(reader: ProtoReader): LeaderKey {
  const place = { name: none, key: none as Key, createRevision: 0 as Revision, lease: 0n as LeaseId };
  while (reader.next()) {
    if (reader.field === 1) place.name = reader.bytesView();
    else if (reader.field === 2) place.key = reader.bytesView() as Uint8Array as Key;
    else if (reader.field === 3) place.createRevision = reader.int() as Revision;
    else if (reader.field === 4) place.lease = reader.bigint() as LeaseId;
    else reader.skip();
  }
  return place;
}
