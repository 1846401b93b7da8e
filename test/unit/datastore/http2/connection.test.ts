/** A connection, with the peer played by the test frame by frame. */
import { duplexPair } from 'node:stream';
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { flags, FrameReader, frameTypes } from '../../../../src/datastore/http2/frames.ts';
import { Connection, encodeHeaders } from '../../../../src/datastore/http2/http2.ts';
import type { ResponseStream } from '../../../../src/datastore/http2/http2.ts';
import { frame, grpcRequest, preface, settings } from '../../../helpers/raw-http2.ts';
import { eventually } from '../../../helpers/wait.ts';

const head = encodeHeaders([[':status', '200']]);
const end = encodeHeaders([['x-end', 'yes']]);
const initialWindowBytes = 65_535;

interface Received {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

let peer: Duplex;
let received: Received[];
/** One for each time that the socket was written to. */
let writes: number;
let requests: ResponseStream[];
let drained: number;

beforeEach(() => {
  const [ours, theirs] = duplexPair();
  peer = theirs;
  received = [];
  requests = [];
  writes = 0;
  drained = 0;
  const reader = new FrameReader();
  new Connection(ours, (_request, response) => {
    requests.push(response);
    return { data: () => {}, end: () => {}, drained: () => (drained += 1), closed: () => {} };
  });
  peer.on('data', (chunk: Buffer) => {
    writes += 1;
    reader.push(chunk);
    for (let next = reader.next(); next !== undefined; next = reader.next()) {
      received.push({ ...next, payload: Buffer.from(next.payload) });
    }
  });
  peer.on('error', () => {});
  peer.write(Buffer.concat([preface, settings()]));
});
afterEach(() => {
  peer.destroy();
});

const ask = (streamId: number): Buffer => grpcRequest(streamId, '/any', Buffer.alloc(0));
const requestOf = (at: number): Promise<ResponseStream> => eventually(() => requests[at], { what: `request ${at}` });
const window = (streamId: number, bytes: number): Buffer => {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes);
  return frame(frameTypes.windowUpdate, 0, streamId, payload);
};
const dataOf = (streamId: number): Buffer =>
  Buffer.concat(
    received.filter((one) => one.type === frameTypes.data && one.streamId === streamId).map(({ payload }) => payload),
  );
const hasEnded = (streamId: number): boolean =>
  received.some((one) => one.streamId === streamId && (one.flags & flags.endStream) !== 0);

test('no more leaves than the windows allow; memory is free to be used again when the last byte has left', async () => {
  const body = Buffer.from(Array.from({ length: 200_000 }, (_, at) => at % 251));
  let isSent = false;
  peer.write(ask(1));
  const response = await requestOf(0);
  response.headers(head);
  response.data(body, () => (isSent = true));
  response.trailers(end);
  await eventually(() => dataOf(1).length === initialWindowBytes);
  peer.write(window(1, 100_000)); // the connection's own window is still closed
  peer.write(frame(frameTypes.ping, 0, 0, Buffer.alloc(8)));
  await eventually(() => received.some(({ type }) => type === frameTypes.ping));
  expect(dataOf(1).length).toBe(initialWindowBytes);
  peer.write(window(0, 100_000));
  await eventually(() => dataOf(1).length === initialWindowBytes + 100_000);
  expect(isSent).toBe(false);
  expect(hasEnded(1)).toBe(false);
  peer.write(Buffer.concat([window(0, 100_000), window(1, 100_000)]));
  await eventually(() => hasEnded(1));
  expect(isSent).toBe(true);
  expect(dataOf(1).equals(body)).toBe(true);
});

test('the last part of an answer may be small: its memory is not free before the parts in front have left', async () => {
  peer.pause();
  peer.write(ask(1));
  const response = await requestOf(0);
  let isSent = false;
  response.headers(head);
  response.data(Buffer.alloc(16_384 + 10, 'x'), () => (isSent = true));
  expect(isSent).toBe(false);
  response.trailers(end);
  peer.resume();
  await eventually(() => hasEnded(1));
  expect(isSent).toBe(true);
});

test('of a stream that is reset in the middle of its answer nothing more leaves, and others are served', async () => {
  peer.write(Buffer.concat([ask(1), ask(3)]));
  const [first, second] = [await requestOf(0), await requestOf(1)];
  first.headers(head);
  first.data(Buffer.alloc(200_000));
  await eventually(() => dataOf(1).length === initialWindowBytes);
  peer.write(frame(frameTypes.rstStream, 0, 1, Buffer.from([0, 0, 0, 8])));
  peer.write(Buffer.concat([window(0, 100_000)]));
  second.headers(head);
  second.data(Buffer.from('well'));
  second.trailers(end);
  await eventually(() => hasEnded(3));
  expect(dataOf(1).length).toBe(initialWindowBytes);
  expect(dataOf(3).toString()).toBe('well');
});

test('who has too much waiting is told so, and told again when there is room', async () => {
  peer.write(ask(1));
  const response = await requestOf(0);
  response.headers(head);
  expect(response.data(Buffer.alloc(100_000))).toBe(true);
  expect(response.data(Buffer.alloc(2 << 20))).toBe(false);
  expect(drained).toBe(0);
  peer.write(Buffer.concat([window(0, 8 << 20), window(1, 8 << 20)]));
  await eventually(() => drained === 1);
});

test('answers that become ready together leave in one write', async () => {
  peer.write(Buffer.concat([ask(1), ask(3), ask(5)]));
  await requestOf(2);
  const before = writes;
  for (const response of requests) {
    response.headers(head);
    response.data(Buffer.from('small'));
    response.trailers(end);
  }
  await eventually(() => hasEnded(5));
  expect(writes - before).toBe(1);
});

test('the answer to a PING leaves with the next answer, or alone after a moment', async () => {
  peer.write(ask(1));
  const response = await requestOf(0);
  const ping = (): Buffer => frame(frameTypes.ping, 0, 0, Buffer.from('12345678'));
  const pongs = (): Received[] => received.filter(({ type }) => type === frameTypes.ping);
  peer.write(ping());
  await eventually(() => pongs().length === 1);
  expect(pongs()[0]).toMatchObject({ flags: flags.ack, payload: Buffer.from('12345678') });

  vi.useFakeTimers({ toFake: ['setTimeout'] }); // the moment does not pass
  onTestFinished(() => void vi.useRealTimers());
  const before = writes;
  peer.write(ping());
  for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate);
  expect(writes).toBe(before);
  response.headers(head);
  response.trailers(end);
  await eventually(() => pongs().length === 2 && hasEnded(1));
  expect(writes - before).toBe(1);
});
