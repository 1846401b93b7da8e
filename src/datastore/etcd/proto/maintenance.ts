/** Messages of the Maintenance service: requests in. Spec: etcd v3.7 rpc.proto. */
import type { Alarm, AlarmType, Revision } from '../../store/store.ts';
import type { ProtoReader, ProtoWriter } from '../../../shared/protobuf/protobuf.ts';

const alarmActions = ['get', 'activate', 'deactivate'] as const;
const alarmTypes: readonly (AlarmType | undefined)[] = [undefined, 'NOSPACE', 'CORRUPT'];

export interface AlarmRequest {
  /** undefined: one that etcd does not know either. */
  readonly action: (typeof alarmActions)[number] | undefined;
  readonly memberId: bigint;
  /** undefined: none named. */
  readonly type: AlarmType | undefined;
}

export function readAlarm(reader: ProtoReader): AlarmRequest {
  let action = 0;
  let memberId = 0n;
  let type = 0;
  while (reader.next()) {
    if (reader.field === 1) action = reader.int();
    else if (reader.field === 2) memberId = reader.bigint();
    else if (reader.field === 3) type = reader.int();
    else reader.skip();
  }
  return { action: alarmActions[action], memberId, type: alarmTypes[type] };
}

export function writeAlarms(writer: ProtoWriter, alarms: readonly Alarm[]): void {
  for (const { memberId, type } of alarms) {
    writer.message(2, () => {
      writer.bigint(1, memberId);
      writer.int(2, alarmTypes.indexOf(type));
    });
  }
}

/** An alarm as Status lists it: protobuf's text form. */
export function alarmText({ memberId, type }: Alarm): string {
  const member = memberId === 0n ? '' : `memberID:${BigInt.asUintN(64, memberId)} `;
  return `${member}alarm:${type}`;
}

/** HashKVRequest: a revision, and nothing else. */
export function readHashRevision(reader: ProtoReader): Revision {
  let revision = 0;
  while (reader.next()) {
    if (reader.field === 1) revision = reader.int();
    else reader.skip();
  }
  return revision as Revision;
}

export interface Downgrade {
  readonly action: 'validate' | 'enable' | 'cancel' | undefined;
  readonly version: string;
}

const downgradeActions = ['validate', 'enable', 'cancel'] as const;

export function readDowngrade(reader: ProtoReader): Downgrade {
  let action = 0;
  let version = '';
  while (reader.next()) {
    if (reader.field === 1) action = reader.int();
    else if (reader.field === 2) version = reader.bytesView().toString('utf8');
    else reader.skip();
  }
  return { action: downgradeActions[action], version };
}
