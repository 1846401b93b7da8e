/** Calls that no client library makes, the same against kagent and a real etcd: what etcd answers is right by definition. */
import { connect as connectHttp2 } from 'node:http2';
import type { ClientHttp2Session, IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ProtoWriter } from '../../../src/shared/protobuf/protobuf.ts';
import type { TestClient } from '../../helpers/etcd-client.ts';
import { describeEachEtcd } from '../../helpers/each-etcd.ts';

const put = '/etcdserverpb.KV/Put';
const rangeStream = '/etcdserverpb.KV/RangeStream';
const snapshot = '/etcdserverpb.Maintenance/Snapshot';
const keepAlive = '/etcdserverpb.Lease/LeaseKeepAlive';
const watch = '/etcdserverpb.Watch/Watch';
const lock = '/v3lockpb.Lock/Lock';

/** A message as it is sent: its length, and itself. */
function framed(write: (writer: ProtoWriter) => void = () => {}): Buffer {
  const writer = new ProtoWriter();
  write(writer);
  const body = Buffer.from(writer.finish());
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}
const putRequest = (key: string, value: string): Buffer =>
  framed((writer) => {
    writer.text(1, key);
    writer.text(2, value);
  });
const keyRequest = framed((writer) => writer.text(1, '/nothing'));

interface End {
  readonly code: number;
  readonly message: string;
  readonly bytes: number;
}

describeEachEtcd((served) => {
  let client: TestClient;
  let session: ClientHttp2Session;

  beforeAll(() => {
    const { server } = served();
    ({ client } = served());
    session = server.address.startsWith('unix://')
      ? connectHttp2('http://localhost', { createConnection: () => connect(server.address.slice('unix://'.length)) })
      : connectHttp2(server.address);
  });
  afterAll(() => {
    session.destroy();
  });

  /** How a call with this body ends. */
  async function endOf(path: string, body: Buffer, fields: OutgoingHttpHeaders = {}): Promise<End> {
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...fields,
    });
    let head: IncomingHttpHeaders = {};
    let bytes = 0;
    const ended = new Promise<void>((resolve, reject) => {
      stream.on('response', (fields) => (head = { ...head, ...fields }));
      stream.on('trailers', (fields) => (head = { ...head, ...fields }));
      stream.on('data', (chunk: Buffer) => (bytes += chunk.length));
      stream.on('end', resolve);
      stream.on('error', reject);
    });
    stream.end(body);
    await ended;
    expect(head).toMatchObject({ ':status': 200, 'content-type': 'application/grpc' });
    return { code: Number(head['grpc-status']), message: decodeURI(String(head['grpc-message'] ?? '')), bytes };
  }

  test.each([put, lock])('%s without a request fails', async (path) => {
    expect(await endOf(path, Buffer.alloc(0))).toEqual({ code: 2, message: 'EOF', bytes: 0 });
  });

  test.each([put, lock])('%s with a part of a request fails', async (path) => {
    const whole = putRequest('/cut', 'value');
    expect(await endOf(path, whole.subarray(0, 4))).toEqual({ code: 2, message: 'EOF', bytes: 0 });
    for (const length of [5, whole.length - 1]) {
      const end = await endOf(path, whole.subarray(0, length));
      expect(end).toEqual({ code: 2, message: 'unexpected EOF', bytes: 0 });
    }
    expect((await client.range('/cut')).kvs).toEqual([]);
  });

  test('of two requests of a call for one, the first is carried out', async () => {
    const body = Buffer.concat([putRequest('/first', '1'), putRequest('/second', '2')]);
    expect(await endOf(put, body)).toMatchObject({ code: 0 });
    expect((await client.range('/first')).kvs).toHaveLength(1);
    expect((await client.range('/second')).kvs).toEqual([]);
  });

  test.each([rangeStream, snapshot])('%s with none, half of or two requests says what is wrong', async (path) => {
    const violation = (what: string): string => `cardinality violation: received ${what} non-client-streaming RPC`;
    expect(await endOf(path, Buffer.alloc(0))).toMatchObject({
      code: 13,
      message: violation('no request message from'),
    });
    expect(await endOf(path, keyRequest.subarray(0, -1))).toMatchObject({ code: 13, message: 'unexpected EOF' });
    expect(await endOf(path, Buffer.concat([keyRequest, keyRequest]))).toMatchObject({
      code: 13,
      message: violation('multiple request messages for'),
    });
  });

  test('a stream of no requests ends well where there is nothing to wait for', async () => {
    expect(await endOf(keepAlive, Buffer.alloc(0))).toEqual({ code: 0, message: '', bytes: 0 });
  });

  test.each([keepAlive, watch])('%s with half a request fails', async (path) => {
    expect(await endOf(path, keyRequest.subarray(0, -1))).toMatchObject({ code: 13, message: 'unexpected EOF' });
  });

  test.each([put, keepAlive, watch, rangeStream])('%s with a request that is no message fails', async (path) => {
    const end = await endOf(path, Buffer.from([0, 0, 0, 0, 1, 0xff]));
    expect(end.code).toBe(13);
    expect(end.message).toMatch(/unmarshal/);
  });

  test.each([put, keepAlive, rangeStream])('%s with a compressed request is refused', async (path) => {
    const body = Buffer.from([1, 0, 0, 0, 0]);
    expect(await endOf(path, body)).toMatchObject({
      code: 13,
      message: 'grpc: compressed flag set with identity or empty encoding',
    });
    expect(await endOf(path, body, { 'grpc-encoding': 'br' })).toMatchObject({
      code: 12,
      message: 'grpc: Decompressor is not installed for grpc-encoding "br"',
    });
  });
});
