/** A server joins others: it is given the keys of the cluster, and nobody else is. */
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { createServerJoin } from '../../../src/server/join/join.ts';
import {
  OtherClusterError,
  ServerTokenMissingError,
  takePlace,
  takeServerFiles,
} from '../../../src/server/join-servers.ts';
import { silentLog } from '../../../src/shared/log/log.ts';
import { pathsOf } from '../../../src/shared/paths.ts';
import { Secret } from '../../../src/shared/secret.ts';
import { joinServer } from '../../helpers/join-server.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

const { signal } = new AbortController();
const member = { name: 's2-00000002', peerUrl: 'https://10.0.0.2:2380' };
const nobodyWaits = () => {};

/** A server of a cluster that may have several, unless it is said to have a datastore of its own. */
async function firstServer({ isShared = true } = {}) {
  const dir = temporaryDir();
  const asked: unknown[] = [];
  const add = async (wanted: unknown) => {
    asked.push(wanted);
    return 's1=https://10.0.0.1:2380,s2-00000002=https://10.0.0.2:2380';
  };
  const files = pathsOf(dir).server.dir;
  const serverJoin = createServerJoin({ dir: files, isShared, members: isShared ? { add } : undefined });
  const server = await joinServer({ dir, api: { serverJoin } });
  // Where the helper has its authorities is not where a server has them.
  for (const name of ['server-ca', 'client-ca', 'kubelet-ca', 'request-header-ca'])
    for (const end of ['crt', 'key']) {
      const path = join(files, 'tls', `${name}.${end}`);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, readFileSync(join(dir, 'tls', `${name}.${end}`)));
    }
  const first = (token: Secret | undefined) => ({ url: server.url, token, log: silentLog });
  return { ...server, files, asked, first };
}

test('who shows the server token has the files of all authorities, for root alone, and a place among the members', async () => {
  const { tokens, files, asked, first } = await firstServer();
  const dir = join(temporaryDir(), 'server');
  await takeServerFiles(first(tokens.serverToken), dir, signal);
  for (const name of ['tls/server-ca.key', 'tls/client-ca.crt', 'token']) {
    expect(readFileSync(join(dir, name), 'utf8')).toBe(readFileSync(join(files, name), 'utf8'));
    expect(statSync(join(dir, name)).mode & 0o777).toBe(0o600);
  }
  expect(await takePlace(first(tokens.serverToken), member, nobodyWaits, signal)).toContain('s2-00000002=');
  expect(asked).toEqual([member]);
});

test('a token for agents, a wrong one and none get nothing', async () => {
  const { tokens, asked, first } = await firstServer();
  const dir = join(temporaryDir(), 'server');
  const { text } = await tokens.create({ role: 'agent', ttlMs: 60_000, description: '', secret: undefined });
  const wrong = new Secret(tokens.serverToken.reveal().replace(/.$/, 'x'));
  await expect(takeServerFiles(first(text), dir, signal)).rejects.toThrow('lets agents in, not a server');
  await expect(takeServerFiles(first(wrong), dir, signal)).rejects.toThrow('does not know this token');
  await expect(takeServerFiles(first(undefined), dir, signal)).rejects.toThrow(ServerTokenMissingError);
  await expect(takePlace(first(text), member, nobodyWaits, signal)).rejects.toThrow('lets agents in, not a server');
  expect(asked).toEqual([]);
});

test('a server with a datastore of its own gives its keys to nobody, and says what to do', async () => {
  const { tokens, first } = await firstServer({ isShared: false });
  const dir = join(temporaryDir(), 'server');
  await expect(takeServerFiles(first(tokens.serverToken), dir, signal)).rejects.toThrow('--cluster-init');
});

test('who has the files does not ask again, unless they are of another cluster than the token', async () => {
  const one = await firstServer();
  const other = await firstServer();
  const dir = join(temporaryDir(), 'server');
  await takeServerFiles(one.first(one.tokens.serverToken), dir, signal);
  await one.api.stop();
  await takeServerFiles(one.first(one.tokens.serverToken), dir, signal);
  const theirs = takeServerFiles(other.first(other.tokens.serverToken), dir, signal);
  await expect(theirs).rejects.toThrow(OtherClusterError);
});
