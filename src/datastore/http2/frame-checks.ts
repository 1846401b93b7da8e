/** What a frame must be whatever the connection's state is. Sections are those of RFC 9113. */
import { ConnectionError, errorCodes, flags, maxWindowBytes, StreamError } from './frames.ts';
import type { Frame } from './frames.ts';

const priorityBytes = 5;

/** Section 6.1. */
export function withoutPadding({ flags: bits, payload }: Frame): Buffer {
  if ((bits & flags.padded) === 0) return payload;
  const padding = payload[0] ?? 0;
  if (padding >= payload.length) throw new ConnectionError(errorCodes.protocolError, 'more padding than payload');
  return payload.subarray(1, payload.length - padding);
}

export function onlyForConnection({ streamId }: Frame): void {
  if (streamId !== 0) throw new ConnectionError(errorCodes.protocolError, 'a frame for the connection names a stream');
}

export function onlyForStream({ streamId }: Frame): void {
  if (streamId === 0) throw new ConnectionError(errorCodes.protocolError, 'a frame for a stream names none');
}

export function hasLength({ payload }: Frame, length: number): void {
  if (payload.length !== length)
    throw new ConnectionError(errorCodes.frameSizeError, `a frame of ${payload.length} bytes`);
}

/** Of HEADERS, without padding and priority. @throws {ConnectionError} @throws {StreamError} */
export function headerBlock(frame: Frame): Buffer {
  const block = withoutPadding(frame);
  if ((frame.flags & flags.priority) === 0) return block;
  if (block.length < priorityBytes) {
    throw new ConnectionError(errorCodes.frameSizeError, 'HEADERS without its priority');
  }
  checkDependency(frame.streamId, block);
  return block.subarray(priorityBytes);
}

/** Section 6.3. @throws {StreamError} */
export function checkPriority({ streamId, payload }: Frame): void {
  if (payload.length !== priorityBytes) {
    throw new StreamError(streamId, errorCodes.frameSizeError, 'PRIORITY of another length');
  }
  checkDependency(streamId, payload);
}

/** Section 5.3.1 of RFC 7540: priorities are read past, but not nonsense. @throws {StreamError} */
function checkDependency(streamId: number, payload: Buffer): void {
  if ((payload.readUInt32BE(0) & maxWindowBytes) === streamId) {
    throw new StreamError(streamId, errorCodes.protocolError, 'a stream that depends on itself');
  }
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
