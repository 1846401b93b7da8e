/** What a frame must be whatever the connection's state is. Sections are those of RFC 9113. */
import { ConnectionError, errorCodes, flags, maxWindowBytes, StreamError } from './frames.ts';
import type { Frame } from './frames.ts';

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

/** Section 5.3.1 of RFC 7540: priorities are read past, but not nonsense. @throws {StreamError} */
export function checkDependency(streamId: number, payload: Buffer): void {
  if ((payload.readUInt32BE(0) & maxWindowBytes) === streamId) {
    throw new StreamError(streamId, errorCodes.protocolError, 'a stream that depends on itself');
  }
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
