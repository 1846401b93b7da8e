/** The calls of etcd's API that operators make: Maintenance, Cluster, Auth. */
import type { ProtoReader, ProtoWriter } from '../../src/server/store/store.ts';
import type { TestClient } from './etcd-client.ts';

type Write = (message: ProtoWriter) => void;

/** Fields of a message that the tests look into by number: enough for messages that are read in one place. */
export interface Fields {
  number(field: number): number;
  bigint(field: number): bigint;
  bytes(field: number): Buffer;
  text(field: number): string;
  texts(field: number): string[];
  messages(field: number): Fields[];
  has(field: number): boolean;
}

/** Calls any method. @throws {EtcdCallError} */
export function call({ channel }: TestClient, method: string, write: Write = () => {}): Promise<Fields> {
  return channel.unary(`/${method}`, write, (reply) => fieldsOf(reply));
}

export function maintenance(client: TestClient, method: string, write?: Write): Promise<Fields> {
  return call(client, `etcdserverpb.Maintenance/${method}`, write);
}

export interface HashKv {
  readonly hash: number;
  readonly compactRevision: number;
  readonly hashRevision: number;
}

export async function hashKv(client: TestClient, revision = 0): Promise<HashKv> {
  const reply = await maintenance(client, 'HashKV', (m) => m.int(1, revision));
  return { hash: reply.number(2), compactRevision: reply.number(3), hashRevision: reply.number(4) };
}

const actions = { get: 0, activate: 1, deactivate: 2 } as const;
const types = ['', 'NOSPACE', 'CORRUPT'] as const;

/** @returns the alarms of the answer, as `TYPE of MEMBER` */
export async function alarm(
  client: TestClient,
  action: keyof typeof actions,
  type: (typeof types)[number] = '',
  memberId = 0n,
): Promise<string[]> {
  const reply = await maintenance(client, 'Alarm', (m) => {
    m.int(1, actions[action]);
    m.bigint(2, memberId);
    m.int(3, types.indexOf(type));
  });
  return reply.messages(2).map((raised) => `${types[raised.number(2)] ?? '?'} of ${raised.bigint(1)}`);
}

export interface SnapshotPart {
  readonly remainingBytes: number;
  readonly blob: Buffer;
  readonly version: string;
}

/** Reads at its own pace when `pause` says so. */
export async function snapshot({ channel }: TestClient, pause?: () => Promise<void>): Promise<SnapshotPart[]> {
  const stream = channel.open('/etcdserverpb.Maintenance/Snapshot');
  stream.send(() => {});
  stream.end();
  const parts: SnapshotPart[] = [];
  for await (const message of stream.messages) {
    const part = fieldsOf(message);
    parts.push({ remainingBytes: part.number(2), blob: part.bytes(3), version: part.text(4) });
    await pause?.();
  }
  return parts;
}

interface Field {
  readonly number: number;
  readonly value: bigint | Buffer;
}

function fieldsOf(reader: ProtoReader): Fields {
  const fields: Field[] = [];
  while (reader.next()) {
    const number = reader.field;
    fields.push({ number, value: reader.isBytes ? reader.bytesView() : reader.bigint() });
  }
  return undefined as never;
}
