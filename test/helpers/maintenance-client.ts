/** The calls of etcd's API that operators make: Maintenance, Cluster, Auth and the like. */
import { readFields } from '../../src/shared/protobuf/protobuf.ts';
import type { ProtoReader, ProtoWriter } from '../../src/shared/protobuf/protobuf.ts';
import type { TestClient } from './etcd-client.ts';

type Write = (message: ProtoWriter) => void;
/** Any method, by its name without the first slash. @throws {EtcdCallError} */
export function call(
  { channel }: TestClient,
  method: string,
  write: Write = () => {},
  fields: Parameters<typeof readFields>[1] = {},
) {
  return channel.unary(`/${method}`, write, (reply) => readFields(reply, fields));
}

export interface Status {
  version: string;
  dbSize: number;
  dbSizeInUse: number;
  leader: bigint;
  memberId: bigint;
  raftTerm: number;
  raftIndex: number;
  raftAppliedIndex: number;
  errors: string[];
  storageVersion: string;
  dbSizeQuota: number;
}

export async function status(client: TestClient): Promise<Status> {
  const result: Status = {
    version: '',
    dbSize: 0,
    dbSizeInUse: 0,
    leader: 0n,
    memberId: 0n,
    raftTerm: 0,
    raftIndex: 0,
    raftAppliedIndex: 0,
    errors: [],
    storageVersion: '',
    dbSizeQuota: 0,
  };
  await call(client, 'etcdserverpb.Maintenance/Status', undefined, {
    1: (r) => readFields(r.message(), { 2: (header) => (result.memberId = header.bigint()) }),
    2: (r) => (result.version = r.bytesView().toString()),
    3: (r) => (result.dbSize = r.int()),
    4: (r) => (result.leader = r.bigint()),
    5: (r) => (result.raftIndex = r.int()),
    6: (r) => (result.raftTerm = r.int()),
    7: (r) => (result.raftAppliedIndex = r.int()),
    8: (r) => result.errors.push(r.bytesView().toString()),
    9: (r) => (result.dbSizeInUse = r.int()),
    11: (r) => (result.storageVersion = r.bytesView().toString()),
    12: (r) => (result.dbSizeQuota = r.int()),
  });
  return result;
}

export interface HashKv {
  hash: number;
  compactRevision: number;
  hashRevision: number;
}

export async function hashKv(client: TestClient, revision = 0): Promise<HashKv> {
  const result = { hash: 0, compactRevision: 0, hashRevision: 0 };
  await call(client, 'etcdserverpb.Maintenance/HashKV', (m) => m.int(1, revision), {
    2: (r) => (result.hash = r.int()),
    3: (r) => (result.compactRevision = r.int()),
    4: (r) => (result.hashRevision = r.int()),
  });
  return result;
}

const actions = ['get', 'activate', 'deactivate'] as const;
const types = ['', 'NOSPACE', 'CORRUPT'] as const;

/** @returns the alarms of the answer, as `TYPE of MEMBER`, in order */
export async function alarm(
  client: TestClient,
  action: (typeof actions)[number],
  type: (typeof types)[number] = '',
  memberId = 0n,
): Promise<string[]> {
  const request = (m: ProtoWriter): void => {
    m.int(1, actions.indexOf(action));
    m.bigint(2, memberId);
    m.int(3, types.indexOf(type));
  };
  const alarms: string[] = [];
  await call(client, 'etcdserverpb.Maintenance/Alarm', request, {
    2: (r) => alarms.push(readAlarm(r.message())),
  });
  return alarms.toSorted();
}

function readAlarm(reader: ProtoReader): string {
  let memberId = 0n;
  let type = 0;
  readFields(reader, { 1: (r) => (memberId = r.bigint()), 2: (r) => (type = r.int()) });
  return `${types[type] ?? type} of ${memberId}`;
}

export interface SnapshotPart {
  remainingBytes: number;
  blob: Buffer;
  version: string;
}

export async function* snapshotParts({ channel }: TestClient): AsyncGenerator<SnapshotPart> {
  const stream = channel.open('/etcdserverpb.Maintenance/Snapshot');
  stream.send(() => {});
  stream.end();
  for await (const message of stream.messages) {
    const part: SnapshotPart = { remainingBytes: 0, blob: Buffer.alloc(0), version: '' };
    readFields(message, {
      2: (r) => (part.remainingBytes = r.int()),
      3: (r) => (part.blob = r.bytesView()),
      4: (r) => (part.version = r.bytesView().toString()),
    });
    yield part;
  }
}

export async function memberId(client: TestClient): Promise<bigint> {
  return (await status(client)).memberId;
}
