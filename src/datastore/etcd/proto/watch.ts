/** Messages of the Watch service. Spec: etcd v3.7 rpc.proto. */
import type { Key, KeyRange, Revision, WatchEvent } from '../../store/store.ts';
import type { Header } from './header.ts';
import { writeHeader } from './header.ts';
import { keyRange } from './kv.ts';
import type { ProtoReader, ProtoWriter } from '../../../shared/protobuf/protobuf.ts';

export interface WatchCreate {
  readonly kind: 'create';
  readonly range: KeyRange;
  readonly startRevision: Revision;
  readonly progressNotify: boolean;
  readonly noPut: boolean;
  readonly noDelete: boolean;
  readonly prevKv: boolean;
  /** 0: the server chooses. */
  readonly watchId: number;
  readonly fragment: boolean;
}

export type WatchRequest =
  | WatchCreate
  | { readonly kind: 'cancel'; readonly watchId: number }
  | { readonly kind: 'progress' }
  | { readonly kind: 'none' };

export function readWatchRequest(reader: ProtoReader): WatchRequest {
  let request: WatchRequest = { kind: 'none' };
  while (reader.next()) {
    if (reader.field === 1) request = readCreate(reader.message());
    else if (reader.field === 2) request = { kind: 'cancel', watchId: readWatchId(reader.message()) };
    else if (reader.field === 3) {
      reader.bytesView();
      request = { kind: 'progress' };
    } else reader.skip();
  }
  return request;
}

/** An empty key means the smallest there is. */
const smallestKey = Buffer.from([0]) as Uint8Array as Key;

function readCreate(reader: ProtoReader): WatchCreate {
  let key = smallestKey;
  let rangeEnd = Buffer.alloc(0) as Uint8Array as Key;
  const filters: number[] = [];
  const create = {
    kind: 'create' as const,
    startRevision: 0 as Revision,
    progressNotify: false,
    prevKv: false,
    watchId: 0,
    fragment: false,
  };
  while (reader.next()) {
    if (reader.field === 1) {
      const given = reader.bytesView() as Uint8Array as Key;
      if (given.length > 0) key = given;
    } else if (reader.field === 2) rangeEnd = reader.bytesView() as Uint8Array as Key;
    else if (reader.field === 3) create.startRevision = reader.int() as Revision;
    else if (reader.field === 4) create.progressNotify = reader.bool();
    else if (reader.field === 5) reader.ints(filters);
    else if (reader.field === 6) create.prevKv = reader.bool();
    else if (reader.field === 7) create.watchId = reader.int();
    else if (reader.field === 8) create.fragment = reader.bool();
    else reader.skip();
  }
  return { ...create, range: keyRange(key, rangeEnd), noPut: filters.includes(0), noDelete: filters.includes(1) };
}

function readWatchId(reader: ProtoReader): number {
  let watchId = 0;
  while (reader.next()) {
    if (reader.field === 1) watchId = reader.int();
    else reader.skip();
  }
  return watchId;
}

export interface WatchResponse {
  readonly revision: Revision;
  readonly watchId: number;
  readonly created?: boolean;
  readonly canceled?: boolean;
  readonly compactRevision?: Revision;
  readonly cancelReason?: string;
  readonly fragment?: boolean;
  readonly events?: readonly WatchEvent[];
}

export function writeWatchResponse(
  writer: ProtoWriter,
  header: Header,
  response: WatchResponse,
  hasPrevKv: boolean,
): void {
  writeHeader(writer, header, response.revision);
  writer.int(2, response.watchId);
  writer.bool(3, response.created ?? false);
  writer.bool(4, response.canceled ?? false);
  writer.int(5, response.compactRevision ?? 0);
  writer.text(6, response.cancelReason ?? '');
  writer.bool(7, response.fragment ?? false);
  for (const event of response.events ?? []) writer.message(11, () => writeEvent(writer, event, hasPrevKv));
}

function writeEvent(writer: ProtoWriter, event: WatchEvent, hasPrevKv: boolean): void {
  writer.int(1, event.isDelete ? 1 : 0);
  writer.record(2, event.record);
  if (hasPrevKv && event.previous !== undefined) writer.record(3, event.previous);
}

/** How long an event gets in a message, to the nearest few bytes. */
export function eventSize(event: WatchEvent, hasPrevKv: boolean): number {
  return event.record.length + (hasPrevKv ? (event.previous?.length ?? 0) : 0) + 16;
}
