/**
 * The Election service: whoever stands first in the line of a name leads, and says something with the value of its key.
 * Spec: etcd v3.7 v3election.proto and api/v3election.
 */
import { decodeRecord } from '../store/store.ts';
import type { Revision, Store } from '../store/store.ts';
import { changesOf } from './changes.ts';
import { changeIfHeld, firstInLine, leaveLine, lineOf, putOf, standInLine, waitForTurn } from './contenders.ts';
import type { Place } from './contenders.ts';
import { streaming, unary, waiting } from './methods.ts';
import { readCampaign, readName, readProclaim } from './proto/election.ts';
import { writeHeader } from './proto/header.ts';
import type { Header } from './proto/header.ts';
import { replyWithHeader } from './reply.ts';
import { asClientSaysIt } from './status.ts';
import type { ProtoReader, ProtoWriter } from '../../shared/protobuf/protobuf.ts';
import { GrpcError, newMessage } from '../../shared/grpc/grpc.ts';
import type { GrpcMethod } from '../../shared/grpc/grpc.ts';

export function electionMethods(store: Store, header: Header): [string, GrpcMethod][] {
  const method = (name: string, call: GrpcMethod): [string, GrpcMethod] => [`/v3electionpb.Election/${name}`, call];
  return [
    method(
      'Campaign',
      waiting((request, signal) => asClientSaysIt(() => campaign(store, header, request, signal))),
    ),
    method(
      'Proclaim',
      unary((request) => asClientSaysIt(() => proclaim(store, header, request))),
    ),
    method(
      'Leader',
      unary((request) => asClientSaysIt(() => leader(store, header, request))),
    ),
    method(
      'Observe',
      streaming((request, signal) => observe(store, header, request, signal)),
    ),
    method(
      'Resign',
      unary((request) => asClientSaysIt(() => resign(store, header, request))),
    ),
  ];
}

async function campaign(store: Store, header: Header, request: ProtoReader, signal: AbortSignal): Promise<ProtoWriter> {
  const wanted = readCampaign(request);
  const { place, revision, value } = await standInLine(store, wanted);
  try {
    if (Buffer.compare(value, wanted.value) !== 0) await say(store, place, wanted.value);
    await waitForTurn(store, place, signal);
  } catch (error) {
    await leaveLine(store, place);
    throw error;
  }
  const reply = replyWithHeader(header, revision);
  reply.message(2, () => {
    reply.bytes(1, place.name);
    reply.bytes(2, place.key);
    reply.int(3, place.createRevision);
    reply.bigint(4, place.lease);
  });
  return reply;
}

async function proclaim(store: Store, header: Header, request: ProtoReader): Promise<ProtoWriter> {
  const { place, value } = readProclaim(request);
  if (place === undefined) throw missingLeader();
  return replyWithHeader(header, await say(store, place, value));
}

async function say(store: Store, place: Place, value: Uint8Array): Promise<Revision> {
  const { succeeded, revision } = await changeIfHeld(store, place, putOf(place.key, value, place.lease));
  if (!succeeded) throw new GrpcError('unknown', 'election: not leader');
  return revision;
}

async function resign(store: Store, header: Header, request: ProtoReader): Promise<ProtoWriter> {
  const { place } = readProclaim(request);
  if (place === undefined) throw missingLeader();
  const { revision } = await leaveLine(store, place);
  return replyWithHeader(header, revision);
}

async function leader(store: Store, header: Header, request: ProtoReader): Promise<ProtoWriter> {
  const { revision, record } = await firstInLine(store, readName(request));
  if (record === undefined) throw new GrpcError('unknown', 'election: no leader');
  return leaderMessage(header, revision, record);
}

/** Each leader, and each thing it says. */
async function* observe(
  store: Store,
  header: Header,
  request: ProtoReader,
  signal: AbortSignal,
): AsyncGenerator<ProtoWriter> {
  const name = readName(request);
  while (!signal.aborted) {
    const { revision, record } = await firstInLine(store, name);
    if (record === undefined) {
      await nextChange(store, name, revision, signal);
      continue;
    }
    yield leaderMessage(header, revision, record);
    const { key } = decodeRecord(record);
    const range = { key: Buffer.from(key) as Uint8Array as Place['key'] };
    for await (const change of changesOf(store, { range, after: revision }, signal)) {
      if (change.isDelete) break;
      yield leaderMessage(header, change.revision, change.record);
    }
  }
}

async function nextChange(store: Store, name: Uint8Array, after: Revision, signal: AbortSignal): Promise<void> {
  for await (const _ of changesOf(store, { range: lineOf(name), after }, signal)) return;
}

function leaderMessage(header: Header, revision: Revision, record: Uint8Array): ProtoWriter {
  const message = newMessage(record.length + 64);
  writeHeader(message, header, revision);
  message.record(2, record);
  return message;
}

function missingLeader(): GrpcError {
  return new GrpcError('unknown', '"leader" field must be provided');
}
