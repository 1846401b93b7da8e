import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createTools } from '../../../../src/host/doctor/doctor.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const tools = createTools();

test('a program answers with its exit code and what it has printed; one that is not there with 127', async () => {
  expect(await tools.run('sh', '-c', 'echo hello; exit 3')).toEqual({ code: 3, stdout: 'hello\n' });
  expect(await tools.run('no-such-program')).toEqual({ code: 127, stdout: '' });
});

/** @param rcode of each answer; undefined: there is none. @returns `address:port` */
async function nameServer(rcode: number | undefined): Promise<string> {
  const socket = createSocket('udp4', (query, from) => {
    if (rcode === undefined) return;
    const answer = Buffer.from(query);
    answer[2] = 0x81; // an answer, recursion was wanted
    answer[3] = 0x80 | rcode; // recursion is to be had
    socket.send(answer, from.port, from.address);
  }).bind(0, '127.0.0.1');
  onTestFinished(() => void socket.close());
  await once(socket, 'listening');
  return `127.0.0.1:${socket.address().port}`;
}

test.each([
  ['has no address for it', 0, undefined],
  ['says that there is no such name', 3, undefined],
  ['cannot ask others', 2, 'ESERVFAIL'],
  ['refuses', 5, 'EREFUSED'],
  ['says nothing', undefined, 'ETIMEOUT'],
])('a name server that %s is told apart', async (_, rcode, code) => {
  expect(await tools.lookUp(await nameServer(rcode))).toBe(code);
});

test('a name server that is no address has a code as well', async () => {
  expect(await tools.lookUp('nonsense')).toMatch(/^ERR_INVALID_IP_ADDRESS$/);
});

test('the room on a disk is that of the nearest folder that is there', () => {
  const dir = temporaryDir();
  expect(tools.space(join(dir, 'not', 'yet')).sizeBytes).toBe(tools.space(dir).sizeBytes);
  expect(tools.space(dir).freeBytes).toBeGreaterThan(0);
});

test('measuring a disk leaves nothing on it', () => {
  const dir = temporaryDir();
  const times = tools.fsyncTimes(join(dir, 'data'));
  expect(times.length).toBeGreaterThan(0);
  expect(times.every((ms) => ms >= 0)).toBe(true);
  expect(readdirSync(dir)).toEqual([]);
});
