import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { lockDataDir } from '../../../../src/host/daemon/lock.ts';
import { pathsOf } from '../../../../src/shared/paths.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const lockModule = resolve(import.meta.dirname, '../../../../src/host/daemon/lock.ts');
const pathsModule = resolve(import.meta.dirname, '../../../../src/shared/paths.ts');
const nobody = 65_534;

/** Another process; it says a line when it has done `script`, and stays. */
async function elsewhere(script: string, options: { readonly uid?: number } = {}) {
  const child = spawn(process.execPath, ['--expose-gc', '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...options,
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, said: line.toString().trim() };
}

const holding = (dataDir: string) => `
  import { spawn } from 'node:child_process';
  import { lockDataDir } from ${JSON.stringify(lockModule)};
  import { pathsOf } from ${JSON.stringify(pathsModule)};
  lockDataDir(pathsOf(${JSON.stringify(dataDir)}));
  await new Promise(setImmediate);
  gc(); // nobody has kept what gives the lock back
  const left = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
  console.log(left.pid);
  setInterval(() => {}, 1000);
`;

function dataDir(): string {
  const dir = temporaryDir();
  chmodSync(dir, 0o755);
  return dir;
}

test('a killed kagent leaves no lock, whatever lives on of its children', async () => {
  const dir = dataDir();
  const { child, said } = await elsewhere(holding(dir));
  onTestFinished(() => void process.kill(Number(said), 'SIGKILL'));
  expect(() => lockDataDir(pathsOf(dir))).toThrow(`another kagent (pid ${child.pid}) runs on ${dir}`);
  child.kill('SIGKILL');
  await once(child, 'exit');
  lockDataDir(pathsOf(dir))();
});

test('a user without rights can take no name and no file that keeps kagent from starting', async () => {
  const dir = dataDir();
  const squatter = await elsewhere(
    `import { createServer } from 'node:net';
     createServer().listen(${JSON.stringify(`\0kagent:${dir}`)}, () => console.log('it listens'));`,
    { uid: nobody },
  );
  expect(squatter.said).toBe('it listens');
  const release = lockDataDir(pathsOf(dir));
  const { said } = await elsewhere(
    `import { openSync } from 'node:fs';
     try { openSync(${JSON.stringify(pathsOf(dir).lock)}, 'r'); console.log('open'); } catch (error) { console.log(error.code); }
     setInterval(() => {}, 1000);`,
    { uid: nobody },
  );
  expect(said).toBe('EACCES');
  release();
});

test('a pid that has ended is not blamed', async () => {
  const dir = dataDir();
  const { child, said } = await elsewhere(holding(dir));
  onTestFinished(() => void process.kill(Number(said), 'SIGKILL'));
  writeFileSync(pathsOf(dir).holder, '4194304\n'); // beyond the greatest pid there is
  expect(() => lockDataDir(pathsOf(dir))).toThrow(`another kagent runs on ${dir}`);
  child.kill('SIGKILL');
});

test('the lock is given back, and says who has it while it is held', () => {
  const paths = pathsOf(join(dataDir(), 'data'));
  mkdirSync(paths.dataDir);
  const release = lockDataDir(paths);
  expect(readFileSync(paths.holder, 'utf8')).toBe(`${process.pid}\n`);
  expect(() => lockDataDir(paths)).toThrow('another kagent');
  release();
  release();
  lockDataDir(paths)();
});

test.each(['{"version":', 'null', '{}', '{"version":7}', ''])(
  'a record of the version that is damaged (%j) keeps nobody from starting, and is written anew',
  (text) => {
    const dir = dataDir();
    const paths = pathsOf(dir);
    lockDataDir(paths)();
    const good = readFileSync(paths.version, 'utf8');
    writeFileSync(paths.version, text);
    lockDataDir(paths)();
    expect(readFileSync(paths.version, 'utf8')).toBe(good);
  },
);
