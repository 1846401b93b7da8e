/** The answer that many calls have in common. */
import type { Revision } from '../store/store.ts';
import { newMessage } from '../../shared/grpc/grpc.ts';
import { writeHeader } from './proto/header.ts';
import type { Header } from './proto/header.ts';
import type { ProtoWriter } from '../../shared/protobuf/protobuf.ts';

/** A message with its header; most have nothing else. */
export function replyWithHeader(header: Header, revision: Revision): ProtoWriter {
  const reply = newMessage();
  writeHeader(reply, header, revision);
  return reply;
}
