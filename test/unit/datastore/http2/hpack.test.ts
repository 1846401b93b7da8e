/** Examples of RFC 7541, appendix C, and blocks that are damaged. */
import { expect, test } from 'vitest';
import { ConnectionError } from '../../../../src/datastore/http2/frames.ts';
import { encodeHeaders, HeaderDecoder } from '../../../../src/datastore/http2/hpack.ts';

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');
const decode = (decoder: HeaderDecoder, hex: string) =>
  decoder.decode(bytes(hex)).map(({ name, value }) => `${name}: ${value}`);

test('requests without Huffman coding, each with the table that the ones before left (C.3)', () => {
  const decoder = new HeaderDecoder();
  const first = [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'];
  expect(decode(decoder, '828684410f7777772e6578616d706c652e636f6d')).toEqual(first);
  expect(decode(decoder, '828684be58086e6f2d6361636865')).toEqual([...first, 'cache-control: no-cache']);
  expect(decode(decoder, '828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565')).toEqual([
    ':method: GET',
    ':scheme: https',
    ':path: /index.html',
    ':authority: www.example.com',
    'custom-key: custom-value',
  ]);
});

test('the same with Huffman coding (C.4)', () => {
  const decoder = new HeaderDecoder();
  const first = [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'];
  expect(decode(decoder, '828684418cf1e3c2e5f23a6ba0ab90f4ff')).toEqual(first);
  expect(decode(decoder, '828684be5886a8eb10649cbf')).toEqual([...first, 'cache-control: no-cache']);
  expect(decode(decoder, '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf').at(-1)).toBe('custom-key: custom-value');
});

test('the oldest entries leave a table that was made smaller (C.5)', () => {
  const decoder = new HeaderDecoder();
  // The table gets 256 bytes, and then four entries of 222 bytes together.
  const response =
    '3fe101 4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d';
  expect(decode(decoder, response)).toHaveLength(4);
  expect(decode(decoder, '4803333037c1c0bf')).toEqual([
    ':status: 307',
    'cache-control: private',
    'date: Mon, 21 Oct 2013 20:13:21 GMT',
    'location: https://www.example.com',
  ]);
  expect(() => decode(decoder, 'c2')).toThrow(ConnectionError); // `:status: 302` has left
});

test('what we encode reads as it was written, long values too', () => {
  const fields = [
    [':status', '200'],
    ['content-type', 'application/grpc'],
    ['grpc-message', 'x'.repeat(5000)],
  ] as const;
  const decoded = new HeaderDecoder().decode(encodeHeaders(fields));
  expect(decoded.map(({ name, value }) => [name, value])).toEqual(fields);
});

test.each([
  ['an entry that does not exist', 'ff00'],
  ['entry 0', '80'],
  ['a number without end', 'ffffffffffffffffff'],
  ['a string beyond the end', '4009'],
  ['a table larger than was allowed', '3fe2ff01'],
  ['a table size after a field', '8220'],
  ['Huffman padding of zeros', '40 01 61 81 00'],
  ['nothing after a literal begins', '40'],
])('%s ends the connection', (_what, hex) => {
  expect(() => decode(new HeaderDecoder(), hex)).toThrow(ConnectionError);
});

test('headers beyond 64 KiB end the connection, however small they came', () => {
  const decoder = new HeaderDecoder();
  // One entry of 3,000 bytes in the table, and then a hundred times its number.
  const length = Buffer.from([0x7f, 0xb9, 0x16]); // 127 + 57 + 22 * 128
  decoder.decode(Buffer.concat([bytes('400161'), length, Buffer.alloc(3000, 'x')]));
  expect(() => decoder.decode(Buffer.alloc(100, 0xbe))).toThrow('too many headers');
});
