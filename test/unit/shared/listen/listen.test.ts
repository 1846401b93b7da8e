import { once } from 'node:events';
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { listenPrivately } from '../../../../src/shared/listen/listen.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

function listening() {
  const server = createServer((socket) => socket.end('hello'));
  onTestFinished(() => void server.close());
  return server;
}

test('folders that are made while sockets begin to listen have their usual mode', async () => {
  const dir = temporaryDir();
  const umask = process.umask();
  const usual = 0o777 & ~umask;
  const sockets = Array.from({ length: 20 }, (_, index) => listenPrivately(listening(), join(dir, `${index}.sock`)));
  const folders = Array.from({ length: 200 }, (_, index) => join(dir, `folder-${index}`));
  await Promise.all([...sockets, ...folders.map((path) => mkdir(path))]);
  expect(new Set(folders.map((path) => statSync(path).mode & 0o777))).toEqual(new Set([usual]));
  expect(process.umask()).toBe(umask);
});

test('a socket is for root alone or for a group beside it, takes the place of what was left there, and goes with its server', async () => {
  const dir = temporaryDir();
  const path = join(dir, 'a.sock');
  writeFileSync(path, 'left over');
  const server = listening();
  await listenPrivately(server, path);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const [said] = (await once(connect(path), 'data')) as [Buffer];
  expect(said.toString()).toBe('hello');
  const group = 2_109_345_001;
  await listenPrivately(listening(), join(dir, 'b.sock'), { group });
  expect(statSync(join(dir, 'b.sock'))).toMatchObject({ uid: 0, gid: group });
  expect(statSync(join(dir, 'b.sock')).mode & 0o777).toBe(0o660);
  server.close();
  await once(server, 'close');
  expect(readdirSync(dir)).toEqual(['b.sock']);
});

test('a socket that finds no place is an error, and nothing listens', async () => {
  const dir = temporaryDir();
  const server = listening();
  mkdirSync(join(dir, 'a.sock'));
  await expect(listenPrivately(server, join(dir, 'a.sock'))).rejects.toThrow(/EISDIR/);
  expect([server.listening, readdirSync(dir)]).toEqual([false, ['a.sock']]);
});
