/** ResponseHeader, which every response starts with. */
import type { Revision } from '../../store/store.ts';
import type { ProtoWriter } from '../../../shared/protobuf/protobuf.ts';

/** The part of it that never changes. */
export interface Header {
  readonly clusterId: number;
  readonly memberId: number;
}

export function writeHeader(writer: ProtoWriter, { clusterId, memberId }: Header, revision: Revision): void {
  writer.message(1, () => {
    writer.int(1, clusterId);
    writer.int(2, memberId);
    writer.int(3, revision);
    // There is one member and so one term; inside a Txn etcd leaves it out with the ids.
    if (memberId !== 0) writer.int(4, raftTerm);
  });
}

export const raftTerm = 1;
