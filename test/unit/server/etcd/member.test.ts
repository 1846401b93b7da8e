import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hasData, isMember, keepFirstServer, openMember } from '../../../../src/server/etcd/etcd.ts';
import { openPki } from '../../../../src/server/pki/pki.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

async function server() {
  const dir = temporaryDir();
  const pki = await openPki(join(dir, 'tls'));
  const etcd = join(dir, 'db', 'etcd');
  return { etcd, dir, open: () => openMember({ pki, dir: etcd, nodeName: 's1', nodeIp: '10.0.0.1' }) };
}

test('a server is a member from when it begins to be one, under one name from then on', async () => {
  const { etcd, open } = await server();
  const member = await open();
  expect(isMember(etcd)).toBe(false);
  expect((await open()).name).not.toBe(member.name);
  member.begin();
  expect(isMember(etcd)).toBe(true);
  expect(member.name).toMatch(/^s1-[0-9a-f]{8}$/);
  expect((await open()).name).toBe(member.name);
});

test('its certificates are where k3s has them, and are not made anew at each start', async () => {
  const { dir, open } = await server();
  await open();
  const read = () =>
    ['server-ca', 'peer-ca', 'client', 'server-client', 'peer-server-client'].map((name) =>
      readFileSync(join(dir, 'tls/etcd', `${name}.crt`), 'utf8'),
    );
  const before = read();
  await open();
  expect(read()).toEqual(before);
});

test('it has data when etcd has its log, not while that is being made', async () => {
  const { etcd } = await server();
  expect(hasData(etcd)).toBe(false);
  mkdirSync(join(etcd, 'member/wal.tmp'), { recursive: true });
  expect(hasData(etcd)).toBe(false);
  mkdirSync(join(etcd, 'member/wal'));
  writeFileSync(join(etcd, 'member/wal/0000000000000000-0000000000000000.wal'), '');
  expect(hasData(etcd)).toBe(true);
});

test('a server that was to join another one goes on with that when it is not told again', async () => {
  const { etcd } = await server();
  expect(keepFirstServer(etcd, undefined)).toBeUndefined();
  expect(keepFirstServer(etcd, 'https://10.0.0.2:9345')).toBe('https://10.0.0.2:9345');
  expect(keepFirstServer(etcd, undefined)).toBe('https://10.0.0.2:9345');
  expect(keepFirstServer(etcd, 'https://10.0.0.3:9345')).toBe('https://10.0.0.3:9345');
});
