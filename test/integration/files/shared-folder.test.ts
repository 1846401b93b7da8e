/** Files are written into a folder where somebody else, here another user, has been before. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { writeAdminKubeconfig } from '../../../src/server/control-plane/certificates.ts';
import { saveSnapshot } from '../../../src/datastore/backup/backup.ts';
import {
  DeviceTargetError,
  writeFileAtomic,
  writeFileAtomicSync,
  writeFileIfChanged,
} from '../../../src/shared/files/files.ts';
import { manCommand } from '../../../src/cli/manual/manual.ts';
import { writeArchive } from '../../../src/support/archive.ts';
import { openTestStore } from '../../helpers/store.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

interface Writer {
  readonly mode: number;
  readonly write: (path: string) => unknown;
}

/** Everything that writes a file whose path a person gives. */
const writers: Readonly<Record<string, Writer>> = {
  'a kubeconfig or a browser’s file of `kubeconfig user`': {
    mode: 0o600,
    write: (path) => writeFileAtomicSync(path, 'ours', 0o600),
  },
  'a file that may be there already': { mode: 0o644, write: (path) => writeFileIfChanged(path, 'ours', 0o644) },
  'the kubeconfig of `--write-kubeconfig`': { mode: 0o640, write: kubeconfig },
  'the archive of `kagent support`': {
    mode: 0o600,
    write: (path) => writeArchive(path, 'root', [{ name: 'a', text: 'ours' }]),
  },
  'a snapshot': { mode: 0o600, write: snapshot },
  'a man page': { mode: 0o644, write: manPage },
};

function kubeconfig(path: string): void {
  const file = join(temporaryDir(), 'leaf');
  writeFileSync(file, 'PEM');
  const leaf = { certFile: file, keyFile: file, changed: false };
  writeAdminKubeconfig({ path, mode: 0o640, group: '4', server: 'https://10.0.0.1:6443', caPem: 'PEM', leaf });
}

async function snapshot(path: string): Promise<void> {
  const store = await openTestStore(temporaryDir());
  const { chunks } = await store.snapshot();
  await saveSnapshot(withChecksum(chunks), path);
  await store.close();
}

/** As etcd's Snapshot sends it. */
async function* withChecksum(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
  yield hash.digest();
}

async function manPage(path: string): Promise<void> {
  const program = new Command('kagent').addCommand(new Command('server').description('Run it'));
  await manCommand(program).parseAsync(['--install', dirname(path)], { from: 'user' });
}

/** What somebody else has put at a name. */
const traps: Readonly<Record<string, (path: string, victim: string) => void>> = {
  'a link to a file of ours': (path, victim) => symlinkSync(victim, path),
  'a link that leads nowhere yet': (path, victim) => symlinkSync(`${victim}.new`, path),
  'a second name of a file of ours': (path, victim) => linkSync(victim, path),
  'a pipe that nobody reads': (path) => void execFileSync('mkfifo', [path]),
  'a file of theirs': (path) => {
    writeFileSync(path, 'ours');
    chmodSync(path, 0o666);
    if (process.getuid?.() === 0) chownSync(path, 65534, 65534);
  },
};

describe.each(Object.entries(writers))('%s', (_, { mode, write }) => {
  test.each(Object.entries(traps))('takes the place of %s, which is left alone', async (__, trap) => {
    const dir = temporaryDir();
    const shared = join(dir, 'shared');
    mkdirSync(shared, { mode: 0o777 });
    const victim = join(dir, 'victim');
    writeFileSync(victim, 'of great value', { mode: 0o640 });
    const path = join(shared, 'kagent.1');
    trap(path, victim);
    const before = process.umask(0o077);
    await Promise.resolve(write(path)).finally(() => process.umask(before));
    const written = lstatSync(path);
    expect(written.isFile()).toBe(true);
    expect({ mode: written.mode & 0o7777, uid: written.uid, nlink: written.nlink }).toEqual({
      mode,
      uid: process.getuid?.(),
      nlink: 1,
    });
    expect(readFileSync(victim, 'utf8')).toBe('of great value');
    expect(lstatSync(victim).mode & 0o7777).toBe(0o640);
    expect(existsSync(`${victim}.new`)).toBe(false);
    expect(readdirSync(shared).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test('does not write to the names that an earlier kagent wrote to first', async () => {
    const dir = temporaryDir();
    const victim = join(dir, 'victim');
    writeFileSync(victim, 'of great value');
    const path = join(dir, 'kagent.1');
    for (const suffix of [`.${process.pid}.tmp`, '.part', '.tmp']) symlinkSync(victim, `${path}${suffix}`);
    await write(path);
    expect(readFileSync(victim, 'utf8')).toBe('of great value');
  });
});

test('a device is not replaced by a file', async () => {
  const write = (path: string) => writeFileAtomic(path, 0o600, (file) => file.writeFile('ours'));
  expect(() => writeFileAtomicSync('/dev/null', 'ours', 0o600)).toThrow(DeviceTargetError);
  await expect(write('/dev/stdout')).rejects.toThrow(DeviceTargetError);
  expect(lstatSync('/dev/null').isCharacterDevice()).toBe(true);
});

test('what cannot be written leaves the file that was there, and nothing beside it', async () => {
  const dir = temporaryDir();
  const path = join(dir, 'file');
  writeFileSync(path, 'before');
  const broken = () => Promise.reject(new Error('the connection broke off'));
  await expect(writeFileAtomic(path, 0o600, broken)).rejects.toThrow('broke off');
  expect(readdirSync(dir)).toEqual(['file']);
  expect(readFileSync(path, 'utf8')).toBe('before');
});
