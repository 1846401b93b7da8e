/** What a member of an etcd is asked and told about its cluster. Spec: etcd v3.7 rpc.proto, services Cluster and Maintenance. */
import { readFields } from '../../shared/protobuf/protobuf.ts';
import type { ProtoReader } from '../../shared/protobuf/protobuf.ts';
import type { Write } from '../../shared/grpc/grpc.ts';
import { etcdChannel } from './channel.ts';
import type { EtcdEndpoints } from './channel.ts';

export interface EtcdMember {
  readonly id: bigint;
  /** Empty until it has started. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  /** It has no vote yet. */
  readonly isLearner: boolean;
}

export interface EtcdStatus {
  readonly memberId: bigint;
  /** 0n: there is none. */
  readonly leaderId: bigint;
  readonly version: string;
  readonly sizeBytes: number;
  readonly usedBytes: number;
  readonly raftIndex: number;
  readonly raftTerm: number;
  readonly appliedIndex: number;
  readonly isLearner: boolean;
  /** Alarms among them. */
  readonly errors: readonly string[];
}

/** All throw {EtcdCallError}. */
export interface MembersClient {
  list(): Promise<readonly EtcdMember[]>;
  /** Without a vote, until it is promoted. @returns all of them */
  add(peerUrl: string): Promise<readonly EtcdMember[]>;
  promote(id: bigint): Promise<void>;
  remove(id: bigint): Promise<void>;
  /** Of the member that is asked. */
  status(): Promise<EtcdStatus>;
  close(): Promise<void>;
}

const cluster = '/etcdserverpb.Cluster';

export function connectMembers(endpoints: EtcdEndpoints): MembersClient {
  const channel = etcdChannel(endpoints);
  const members = (method: string, write: Write, field = 2) =>
    channel.unary(`${cluster}/${method}`, write, (reply) => readMembers(reply, field));
  return {
    list: () => members('MemberList', (message) => message.bool(1, true)),
    add: (peerUrl) =>
      members(
        'MemberAdd',
        (message) => {
          message.text(1, peerUrl);
          message.bool(2, true);
        },
        3,
      ),
    async promote(id) {
      await members('MemberPromote', (message) => message.bigint(1, BigInt.asIntN(64, id)));
    },
    async remove(id) {
      await members('MemberRemove', (message) => message.bigint(1, BigInt.asIntN(64, id)));
    },
    status: () => channel.unary('/etcdserverpb.Maintenance/Status', () => {}, readStatus),
    close: () => channel.close(),
  };
}

function readMembers(reply: ProtoReader, field: number): readonly EtcdMember[] {
  const members: EtcdMember[] = [];
  readFields(reply, { [field]: () => members.push(readMember(reply.message())) });
  return members;
}

function readMember(member: ProtoReader): EtcdMember {
  let [id, name, isLearner] = [0n, '', false];
  const peerUrls: string[] = [];
  const clientUrls: string[] = [];
  readFields(member, {
    1: () => (id = unsigned(member)),
    2: () => (name = text(member)),
    3: () => peerUrls.push(text(member)),
    4: () => clientUrls.push(text(member)),
    5: () => (isLearner = member.bool()),
  });
  return { id, name, peerUrls, clientUrls, isLearner };
}

function readStatus(reply: ProtoReader): EtcdStatus {
  let [memberId, leaderId] = [0n, 0n];
  let [version, isLearner] = ['', false];
  let [sizeBytes, usedBytes, raftIndex, raftTerm, appliedIndex] = [0, 0, 0, 0, 0];
  const errors: string[] = [];
  readFields(reply, {
    1: () => (memberId = readMemberId(reply.message())),
    2: () => (version = text(reply)),
    3: () => (sizeBytes = reply.int()),
    4: () => (leaderId = unsigned(reply)),
    5: () => (raftIndex = reply.int()),
    6: () => (raftTerm = reply.int()),
    7: () => (appliedIndex = reply.int()),
    8: () => errors.push(text(reply)),
    9: () => (usedBytes = reply.int()),
    10: () => (isLearner = reply.bool()),
  });
  return { memberId, leaderId, version, sizeBytes, usedBytes, raftIndex, raftTerm, appliedIndex, isLearner, errors };
}

/** Of a ResponseHeader. */
function readMemberId(header: ProtoReader): bigint {
  let id = 0n;
  readFields(header, { 2: () => (id = unsigned(header)) });
  return id;
}

const unsigned = (reader: ProtoReader): bigint => BigInt.asUintN(64, reader.bigint());
const text = (reader: ProtoReader): string => reader.bytesView().toString();
