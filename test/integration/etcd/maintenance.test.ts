/** What operators ask of an etcd, the same cases against kagent and a real etcd: what etcd answers is right by definition. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { restoreDatastore } from '../../../src/datastore/backup/backup.ts';
import { verifySnapshot } from '../../../src/datastore/store/store.ts';
import { prefix, TestClient } from '../../helpers/etcd-client.ts';
import { describeEachEtcd } from '../../helpers/each-etcd.ts';
import { etcds, startEtcd, startKagent } from '../../helpers/etcd-servers.ts';
import type { TestServer } from '../../helpers/etcd-servers.ts';
import { etcdctl } from '../../helpers/etcdctl.ts';
import { alarm, call, hashKv, memberId, snapshotParts, status } from '../../helpers/maintenance-client.ts';
import type { SnapshotPart } from '../../helpers/maintenance-client.ts';
import { randomFrom } from '../../helpers/random.ts';
import { temporaryDir } from '../../helpers/temporary.ts';
import { eventually } from '../../helpers/wait.ts';
import { readFields } from '../../../src/shared/protobuf/protobuf.ts';

/** An id of 64 bits takes a byte more than one of 63, and its highest bit is the 16th of the member's. */
const envelopeBytes = (name: string, member: bigint): number =>
  17 + (name === 'etcd' ? Number((member >> 15n) & 1n) : 0);

describeEachEtcd((served) => {
  let client: TestClient;
  let server: TestServer;

  beforeAll(() => void ({ client, server } = served()));

  describe('status', () => {
    test('a store without troubles says who leads, how large it is, and which etcd it is', async () => {
      await client.put('/status', 'x'.repeat(1000));
      const found = await status(client);
      expect(found).toMatchObject({ version: '3.7.3', storageVersion: '3.7.0', errors: [], leader: found.memberId });
      expect(found.dbSize).toBeGreaterThan(1000);
      expect(found.dbSizeInUse).toBeGreaterThan(1000);
      expect(found.dbSizeInUse).toBeLessThanOrEqual(found.dbSize);
      expect(found.dbSizeQuota).toBe(2 * 1024 ** 3);
      expect(found.raftTerm).toBeGreaterThan(0);
      expect(found.raftAppliedIndex).toBe(found.raftIndex);
    });
  });

  describe('hash', () => {
    test('a revision has one hash, whatever is written later; the newest is taken without one', async () => {
      const { revision } = await client.put('/hash/a', '1');
      const first = await hashKv(client);
      expect(first).toMatchObject({ compactRevision: -1, hashRevision: revision });
      await client.put('/hash/a', '2');
      await client.delete('/hash/a');
      expect(await hashKv(client, revision)).toEqual(first);
      expect((await hashKv(client)).hash).not.toBe(first.hash);
    });

    test('a revision to come is refused, and so is one that is compacted', async () => {
      const { revision } = await client.put('/hash/b', '1');
      await expect(hashKv(client, revision + 1)).rejects.toMatchObject(
        failure(11, 'etcdserver: mvcc: required revision is a future revision'),
      );
      await client.put('/hash/b', '2');
      await client.compact(revision + 1, true);
      await expect(hashKv(client, revision)).rejects.toMatchObject(
        failure(11, 'etcdserver: mvcc: required revision has been compacted'),
      );
      const { revision: newest } = await client.put('/hash/b', '3');
      expect(await hashKv(client, newest)).toEqual(await hashKv(client));
      expect(await hashKv(client)).toMatchObject({ compactRevision: revision + 1 });
    });
  });

  describe('alarms', () => {
    test('what is raised is listed, by type, until it is cleared for the same member', async () => {
      expect(await alarm(client, 'get')).toEqual([]);
      expect(await alarm(client, 'activate', 'NOSPACE', 77n)).toEqual(['NOSPACE of 77']);
      expect(await alarm(client, 'activate', 'NOSPACE', 77n)).toEqual(['NOSPACE of 77']);
      expect(await alarm(client, 'activate', 'NOSPACE')).toEqual(['NOSPACE of 0']);
      expect(await alarm(client, 'activate', 'CORRUPT', -1n)).toEqual(['CORRUPT of -1']);
      expect(await alarm(client, 'activate')).toEqual([]);
      expect(await alarm(client, 'get')).toEqual(['CORRUPT of -1', 'NOSPACE of 0', 'NOSPACE of 77']);
      expect(await alarm(client, 'get', 'NOSPACE')).toEqual(['NOSPACE of 0', 'NOSPACE of 77']);
      const listed = (await status(client)).errors.map((error) => error.replaceAll(/\s+/g, ' ').trim());
      expect(listed.toSorted()).toEqual([
        'alarm:NOSPACE',
        'memberID:18446744073709551615 alarm:CORRUPT',
        'memberID:77 alarm:NOSPACE',
      ]);
      expect(await alarm(client, 'deactivate', 'CORRUPT', 77n)).toEqual([]);
      expect(await alarm(client, 'deactivate', 'CORRUPT', -1n)).toEqual(['CORRUPT of -1']);
      expect(await alarm(client, 'deactivate', 'NOSPACE')).toEqual(['NOSPACE of 0']);
      expect(await alarm(client, 'deactivate', 'NOSPACE', 77n)).toEqual(['NOSPACE of 77']);
      expect(await alarm(client, 'get')).toEqual([]);
    });

    test('NOSPACE refuses what makes the store larger, in either branch of a Txn, and nothing else', async () => {
      await client.put('/alarm/a', '1');
      const member = await memberId(client);
      await alarm(client, 'activate', 'NOSPACE', member);
      const noSpace = failure(8, 'etcdserver: mvcc: database space exceeded');
      const put = { kind: 'put', key: '/alarm/a' } as const;
      await expect(client.put('/alarm/a')).rejects.toMatchObject(noSpace);
      await expect(client.txn({ success: [put] })).rejects.toMatchObject(noSpace);
      await expect(client.txn({ failure: [put] })).rejects.toMatchObject(noSpace);
      const nested = { kind: 'txn', success: [], failure: [put] } as const;
      await expect(client.txn({ success: [nested] })).rejects.toMatchObject(noSpace);
      await expect(client.grant(60)).rejects.toMatchObject(noSpace);
      await expect(client.put('')).rejects.toMatchObject(failure(3, 'etcdserver: key is not provided'));
      expect((await client.range('/alarm/a')).count).toBe(1);
      const { revision } = await client.txn({ success: [{ kind: 'deleteRange', key: '/alarm/a' }] });
      await client.compact(revision);
      await call(client, 'etcdserverpb.Maintenance/Defragment');
      await alarm(client, 'deactivate', 'NOSPACE', member);
      await client.put('/alarm/a', '2');
    });

    test('CORRUPT refuses every change; reads are answered', async () => {
      await alarm(client, 'activate', 'CORRUPT', 5n);
      const corrupt = failure(15, 'etcdserver: corrupt cluster');
      await expect(client.put('/alarm/a')).rejects.toMatchObject(corrupt);
      await expect(client.delete('/alarm/a')).rejects.toMatchObject(corrupt);
      await expect(client.txn({ failure: [{ kind: 'deleteRange', key: 'x' }] })).rejects.toMatchObject(corrupt);
      await expect(client.compact(1)).rejects.toMatchObject(corrupt);
      await expect(client.grant(60)).rejects.toMatchObject(corrupt);
      await expect(client.revoke(1n)).rejects.toMatchObject(corrupt);
      expect((await client.range('/alarm/a')).count).toBe(1);
      await client.txn({ success: [{ kind: 'range', key: 'x' }] });
      await hashKv(client);
      await alarm(client, 'deactivate', 'CORRUPT', 5n);
      await client.put('/alarm/a');
    });
  });

  describe('snapshot', () => {
    test('whole pages, then the sha256 of all that; the rest is counted down', async () => {
      await client.put('/snapshot', Buffer.alloc(100_000, 1));
      const parts: SnapshotPart[] = [];
      for await (const part of snapshotParts(client)) parts.push(part);
      const checksum = parts.pop();
      const content = Buffer.concat(parts.map(({ blob }) => blob));
      expect(content.length % 512).toBe(0);
      expect(checksum?.blob.toString('hex')).toBe(createHash('sha256').update(content).digest('hex'));
      expect(new Set([...parts, checksum].map((part) => part?.version))).toEqual(new Set(['3.7.0']));
      let left = content.length;
      for (const { blob, remainingBytes } of parts) expect(remainingBytes).toBe((left -= blob.length));
    });
  });

  describe('members', () => {
    test('there is one member, with a name and where clients find it', async () => {
      const member = { id: 0n, name: '', clientUrls: [] as string[], headerRevision: 0 };
      await call(client, 'etcdserverpb.Cluster/MemberList', undefined, {
        1: (r) => readFields(r.message(), { 3: (header) => (member.headerRevision = header.int()) }),
        2: (r) =>
          readFields(r.message(), {
            1: (m) => (member.id = m.bigint()),
            2: (m) => (member.name = m.bytesView().toString()),
            4: (m) => member.clientUrls.push(m.bytesView().toString()),
          }),
      });
      expect(member).toMatchObject({ id: await memberId(client), clientUrls: [server.address], headerRevision: 0 });
      expect(member.name).not.toBe('');
    });

    test('the only member is not removed, promoted or moved', async () => {
      const id = await memberId(client);
      const about = (method: string, member: bigint) =>
        call(client, `etcdserverpb.Cluster/${method}`, (m) => m.bigint(1, member));
      await expect(about('MemberRemove', id)).rejects.toMatchObject(
        failure(2, 'etcdserver: re-configuration failed due to not enough started members'),
      );
      await expect(about('MemberPromote', id)).rejects.toMatchObject(
        failure(9, 'etcdserver: can only promote a learner member'),
      );
      for (const method of ['MemberRemove', 'MemberUpdate', 'MemberPromote']) {
        await expect(about(method, 5n)).rejects.toMatchObject(failure(5, 'etcdserver: member not found'));
      }
      await expect(call(client, 'etcdserverpb.Cluster/MemberAdd', (m) => m.text(1, 'nonsense'))).rejects.toMatchObject(
        failure(3, 'etcdserver: given member URLs are invalid'),
      );
      await expect(call(client, 'etcdserverpb.Maintenance/MoveLeader', (m) => m.int(1, 5))).rejects.toMatchObject(
        failure(9, 'etcdserver: bad leader transferee'),
      );
    });

    test.each([
      ['', 'wrong downgrade target version format'],
      ['3.x', 'wrong downgrade target version format'],
      ['3.4.0', 'invalid downgrade target version'],
      ['3.8.0', 'invalid downgrade target version'],
    ])('a downgrade to %j is refused', async (version, message) => {
      const request = call(client, 'etcdserverpb.Maintenance/Downgrade', (m) => m.text(2, version));
      await expect(request).rejects.toMatchObject(failure(3, `etcdserver: ${message}`));
    });
  });

  describe('auth, which is off', () => {
    test('the status says so', async () => {
      const found = { isEnabled: false, revision: 0 };
      await call(client, 'etcdserverpb.Auth/AuthStatus', undefined, {
        2: (r) => (found.isEnabled = r.bool()),
        3: (r) => (found.revision = r.int()),
      });
      expect(found).toEqual({ isEnabled: false, revision: 1 });
    });

    test.each([
      ['AuthEnable', 9, 'root user does not exist'],
      ['Authenticate', 9, 'authentication is not enabled'],
      ['UserAdd', 3, 'user name is empty'],
      ['UserGet', 9, 'user name not found'],
      ['UserDelete', 9, 'user name not found'],
      ['UserChangePassword', 9, 'user name not found'],
      ['UserGrantRole', 9, 'user name not found'],
      ['UserRevokeRole', 9, 'user name not found'],
      ['RoleAdd', 3, 'role name is empty'],
      ['RoleGet', 9, 'role name not found'],
      ['RoleDelete', 9, 'role name not found'],
      ['RoleGrantPermission', 3, 'permission not given'],
      ['RoleRevokePermission', 9, 'role name not found'],
    ])('%s is refused', async (method, code, message) => {
      await expect(call(client, `etcdserverpb.Auth/${method}`)).rejects.toMatchObject(
        failure(code, `etcdserver: ${message}`),
      );
    });

    test.each(['AuthDisable', 'UserList', 'RoleList'])('%s has nothing to do', async (method) => {
      await expect(call(client, `etcdserverpb.Auth/${method}`)).resolves.toBeUndefined();
    });
  });

  describe('health', () => {
    test('the server as a whole is serving; a service is not known by its name', async () => {
      const states: number[] = [];
      await call(client, 'grpc.health.v1.Health/Check', undefined, { 1: (r) => states.push(r.int()) });
      expect(states).toEqual([1]);
      await expect(
        call(client, 'grpc.health.v1.Health/Check', (m) => m.text(1, 'etcdserverpb.KV')),
      ).rejects.toMatchObject(failure(5, 'unknown service'));
    });

    test.each([
      ['', 1],
      ['etcdserverpb.KV', 3],
    ])('a watch of %j hears its state at once', async (service, state) => {
      const stream = client.channel.open('/grpc.health.v1.Health/Watch');
      stream.send((m) => m.text(1, service));
      stream.end();
      for await (const message of stream.messages) {
        let found = 0;
        readFields(message, { 1: (r) => (found = r.int()) });
        expect(found).toBe(state);
        break;
      }
      stream.cancel();
    });
  });

  describe('the size of a request', () => {
    test('is measured to the byte', async () => {
      const largest = 1.5 * 1024 * 1024 - envelopeBytes(served().name, await memberId(client));
      const ofSize = (size: number) => {
        const aroundValue = '/size'.length + 2 + 4; // the key's tag and length, the value's
        return client.put('/size', Buffer.alloc(size - aroundValue));
      };
      await ofSize(largest);
      await expect(ofSize(largest + 1)).rejects.toMatchObject(failure(3, 'etcdserver: request is too large'));
    });
  });

  describe('what is not there', () => {
    test.each(['v1', 'v1alpha'])('reflection %s is not served', async (version) => {
      const service = `grpc.reflection.${version}.ServerReflection`;
      await expect(call(client, `${service}/ServerReflectionInfo`)).rejects.toMatchObject(
        failure(12, `unknown service ${service}`),
      );
    });

    test('checkpoints of leases are for members among themselves', async () => {
      await expect(call(client, 'etcdserverpb.Lease/LeaseCheckpoint')).rejects.toMatchObject(
        failure(12, 'unknown method LeaseCheckpoint for service etcdserverpb.Lease'),
      );
    });
  });
});

describe.each(etcds)('etcdctl with %s', (_name, start) => {
  test('every command an operator uses', async () => {
    const dir = temporaryDir();
    const server = await start(dir);
    const run = (...args: string[]) => etcdctl(server.address, ...args);
    try {
      expect(await run('put', 'key', 'value')).toBe('OK\n');
      expect(await run('get', 'key')).toBe('key\nvalue\n');
      expect(await run('endpoint', 'health')).toContain('is healthy');
      expect(await run('endpoint', 'status')).toContain('3.7.3');
      expect(await run('endpoint', 'hashkv')).toBe(`${server.address}, 22064187, 2\n`);
      expect(await run('member', 'list')).toContain('started');
      expect(await run('auth', 'status')).toBe('Authentication Status: false\nAuthRevision: 1\n');
      expect(await run('alarm', 'list')).toBe('');
      expect(await run('compaction', '--physical', '2')).toBe('compacted revision 2\n');
      expect(await run('defrag')).toContain('Finished defragmenting');
      const saved = join(dir, 'saved.db');
      expect(await run('snapshot', 'save', saved)).toContain('Snapshot saved');
      expect(statSync(saved).size % 512).toBe(32);
      expect(await run('lock', 'name', 'echo', 'held')).toBe('held\n');
    } finally {
      await server.stop();
    }
  });

  test('alarms are listed with their member, and disarmed', async () => {
    const server = await start(temporaryDir());
    const client = new TestClient(server.address);
    try {
      await alarm(client, 'activate', 'NOSPACE', 77n);
      const listed = (text: string) => text.replaceAll(/\s+/g, ' ').trim();
      expect(listed(await etcdctl(server.address, 'alarm', 'list'))).toBe('memberID:77 alarm:NOSPACE');
      expect(listed(await etcdctl(server.address, 'alarm', 'disarm'))).toBe('memberID:77 alarm:NOSPACE');
      expect(await etcdctl(server.address, 'alarm', 'list')).toBe('');
      expect(await etcdctl(server.address, 'put', 'key', 'value')).toBe('OK\n');
    } finally {
      await client.close();
      await server.stop();
    }
  });
});

test('what etcdctl saves from kagent is verified and restored', async () => {
  const dir = temporaryDir();
  const server = await startKagent(dir);
  await etcdctl(server.address, 'put', 'key', 'saved');
  const saved = join(dir, 'saved.db');
  await etcdctl(server.address, 'snapshot', 'save', saved);
  await etcdctl(server.address, 'put', 'key', 'later');
  await server.stop();
  await verifySnapshot(saved);
  const restoredDir = temporaryDir();
  await restoreDatastore(saved, restoredDir, { bumpRevision: 0, now: new Date() });
  const restored = await startKagent(restoredDir);
  expect(await etcdctl(restored.address, 'get', 'key', '--print-value-only')).toBe('saved\n');
  await restored.stop();
});

test('who asks for a snapshot and never reads it holds up nobody, and its copy goes with the connection', async () => {
  const dir = temporaryDir();
  const server = await startKagent(dir);
  const client = new TestClient(server.address);
  for (let n = 0; n < 20; n += 1) await client.put(`/bulk/${n}`, Buffer.alloc(1_000_000));
  const session = connectHttp2('http://localhost', { createConnection: () => connect(join(dir, 'store.sock')) });
  const stream = session.request({
    ':method': 'POST',
    ':path': '/etcdserverpb.Maintenance/Snapshot',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.on('error', () => {});
  stream.end(Buffer.alloc(5)); // an empty message
  await eventually(() => openCopies() === 1, { what: 'the copy' });
  const start = performance.now();
  for (let n = 0; n < 100; n += 1) await client.put('/small', `${n}`);
  expect(performance.now() - start).toBeLessThan(5000);
  expect(openCopies()).toBe(1);
  session.destroy();
  await eventually(() => openCopies() === 0, { what: 'the copy to be gone' });
  await client.close();
  await server.stop();
});

/** Copies of the store that lost their name and are open in this process. */
function openCopies(): number {
  const links = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return ''; // closed meanwhile
    }
  });
  return links.filter((link) => link.includes('store.db.copy-') && link.endsWith('(deleted)')).length;
}

describe('both', () => {
  test('the same history gives the same hash, at every revision and after compactions', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'kagent-test-'));
    const servers = [await startKagent(join(dir)), await startEtcd(join(dir, 'etcd'))];
    const clients = servers.map(({ address }) => new TestClient(address));
    try {
      const both = async <T>(ask: (client: TestClient) => Promise<T>): Promise<T> => {
        const [ours, theirs] = await Promise.all(clients.map(ask));
        expect(ours).toEqual(theirs);
        return ours as T;
      };
      const random = randomFrom(4);
      let checked = 0;
      for (let step = 0; step < 400; step += 1) {
        await both((client) => change(client, step, randomFrom(step)));
        if (step % 10 === 0) {
          const { hashRevision, compactRevision } = await both((client) => hashKv(client));
          // At the compacted revision itself etcd gives the hash it had before the compaction.
          const earliest = Math.max(compactRevision + 1, 1);
          const revision = earliest + Math.floor(random() * (hashRevision + 1 - earliest));
          await both((client) => hashKv(client, revision));
          checked += 2;
          if (step % 60 === 50) await both((client) => client.compact(revision, true).catch(String));
        }
      }
      expect(checked).toBeGreaterThan(50);
    } finally {
      for (const client of clients) await client.close();
      for (const server of servers) await server.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

/** One change of the kinds there are; the same for the same `random`. @returns the revision */
async function change(client: TestClient, step: number, random: () => number): Promise<number> {
  const key = (): string => `/key/${Math.floor(random() * 30)}`;
  const kind = Math.floor(random() * 6);
  if (kind === 0) return (await client.delete(key())).revision;
  if (kind === 1) {
    const from = key();
    return (await client.delete(from, { rangeEnd: `${from}~` })).revision;
  }
  if (kind === 2) {
    const keys = [...new Set([key(), key(), key()])];
    const success = keys.map((name) => ({ kind: 'put', key: name, value: `${step}` }) as const);
    return (await client.txn({ success })).revision;
  }
  if (kind === 3) {
    const id = BigInt(step + 1);
    await client.grant(600, id);
    await client.put(key(), 'leased', { lease: id });
    const { revision } = await client.put(key(), '', { lease: id });
    return random() < 0.5 ? revision : client.revoke(id);
  }
  if (kind === 4) return (await client.put(key(), Buffer.alloc(step * 10, step))).revision;
  const success = [
    { kind: 'deleteRange', key: '/key/1', ...prefix('/key/1') },
    { kind: 'put', key: '/key/2', value: `${step}` },
  ] as const;
  return (await client.txn({ success })).revision;
}

function failure(grpcCode: number, message: string): object {
  return { grpcCode, message };
}
