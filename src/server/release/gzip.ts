/**
 * gzip in members, one for each piece of a file: one behind another they are one file for every gunzip. A member can be made
 * alone, and where in the file a stored one begins can be computed.
 * Spec: RFC 1952 section 2.2 and 2.3; RFC 1951 section 3.2.4 (blocks without compression)
 */
import { promisify } from 'node:util';
import { crc32, gzip } from 'node:zlib';

export const pieceBytes = 1024 * 1024;
const mostInBlock = 65_535;
const blockHeaderBytes = 5;
const memberHeader = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]); // deflate, no time, no name, made on any system
const memberTrailerBytes = 8;

/** A compressed member, made in Node's thread pool. @param level zlib's, 1 to 9 */
export const deflatedMember: (piece: Uint8Array, options: { readonly level: number }) => Promise<Buffer> =
  promisify(gzip);

/** A member of a piece that is compressed already, at least one byte of it. */
export function storedMember(piece: Uint8Array): Buffer {
  const member = Buffer.allocUnsafe(storedMemberBytes(piece.length));
  let at = memberHeader.copy(member);
  for (let from = 0; from < piece.length; from += mostInBlock) {
    const block = piece.subarray(from, from + mostInBlock);
    member[at] = from + block.length === piece.length ? 1 : 0; // whether it is the last
    member.writeUInt16LE(block.length, at + 1);
    member.writeUInt16LE(~block.length & 0xffff, at + 3);
    member.set(block, at + blockHeaderBytes);
    at += blockHeaderBytes + block.length;
  }
  member.writeUInt32LE(crc32(piece), at);
  member.writeUInt32LE(piece.length, at + 4);
  return member;
}

export function storedMemberBytes(length: number): number {
  return memberHeader.length + Math.ceil(length / mostInBlock) * blockHeaderBytes + length + memberTrailerBytes;
}
