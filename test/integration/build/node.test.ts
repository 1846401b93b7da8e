/** scripts/build/node.sh, with an npm that is a script of the test. */
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { temporaryDir } from '../../helpers/temporary.ts';

const script = join(import.meta.dirname, '../../../scripts/build/node.sh');
const name = `node-linux-${process.arch}`;

/** An npm of that version, whose ci makes Node as a script. */
const npmOf = (
  version: string,
  installing = `mkdir -p node_modules/${name}/bin
  printf '#!/bin/sh\necho v26\n' >node_modules/${name}/bin/node
  chmod 755 node_modules/${name}/bin/node`,
) => `#!/bin/sh
[ "$1" = ci ] || exec echo ${version}
echo "$(dirname "$0") $*" >>asked
${installing}
`;

function checkoutWith(npms: Readonly<Record<string, string>>) {
  const dir = temporaryDir();
  mkdirSync(join(dir, 'scripts/build'), { recursive: true });
  cpSync(script, join(dir, 'scripts/build/node.sh'));
  writeFileSync(join(dir, 'package-lock.json'), '{}');
  const folders = Object.entries(npms).map(([folder, text]) => {
    mkdirSync(join(dir, folder));
    writeFileSync(join(dir, folder, 'npm'), text, { mode: 0o755 });
    return join(dir, folder);
  });
  return {
    dir,
    node: join(dir, 'node_modules', name, 'bin/node'),
    asked: () => readFileSync(join(dir, 'asked'), 'utf8').trim().split('\n'),
    run: async (...args: readonly string[]) => {
      const PATH = [...folders, '/usr/bin', '/bin'].join(':');
      const ran = promisify(execFile)('/bin/sh', [join(dir, 'scripts/build/node.sh'), ...args], { env: { PATH } });
      return ran.then(
        ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
        ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({ code, stdout, stderr }),
      );
    },
  };
}

test('the pinned Node is installed, with what is left out in production, and found by npm scripts', async () => {
  const checkout = checkoutWith({ one: npmOf('9.2.0') });
  expect(await checkout.run('--installed')).toMatchObject({ code: 1 });
  expect(await checkout.run()).toEqual({ code: 0, stdout: `${checkout.node}\n`, stderr: '' });
  expect(checkout.asked()[0]).toContain('ci --include=dev --include=optional --ignore-scripts');
  expect(readlinkSync(join(checkout.dir, 'node_modules/.bin/node'))).toBe(`../${name}/bin/node`);
  expect(await checkout.run('--installed')).toMatchObject({ code: 0 });
});

test('npm chooses packages for the Node that will run them, not for the one that it runs on itself', async () => {
  const checkout = checkoutWith({
    one: npmOf('9.2.0', `exec '${process.execPath}' -p process.version >version; exit 1`),
  });
  cpSync(join(dirname(script), 'as-pinned-node.cjs'), join(checkout.dir, 'scripts/build/as-pinned-node.cjs'));
  const packages = { [`node_modules/${name}`]: { version: '99.1.2' } };
  writeFileSync(join(checkout.dir, 'package-lock.json'), JSON.stringify({ packages }));
  await checkout.run();
  expect(readFileSync(join(checkout.dir, 'version'), 'utf8')).toBe('v99.1.2\n');
});

test('it is installed again when the lock file has changed, and only then', async () => {
  const checkout = checkoutWith({ one: npmOf('9.2.0') });
  await checkout.run();
  await checkout.run();
  expect(checkout.asked()).toHaveLength(1);
  writeFileSync(join(checkout.dir, 'package-lock.json'), '{ }');
  await checkout.run();
  expect(checkout.asked()).toHaveLength(2);
});

test('an npm that does not work, or is too old for the lock file, is passed over', async () => {
  const checkout = checkoutWith({ broken: '#!/bin/sh\nexit 127\n', old: npmOf('6.14.4'), good: npmOf('7.5.2') });
  expect(await checkout.run()).toMatchObject({ code: 0 });
  expect(checkout.asked()).toEqual([expect.stringContaining(join(checkout.dir, 'good'))]);
});

test('without the pinned Node it ends with a sentence, and never with the Node of the machine', async () => {
  const checkout = checkoutWith({ one: npmOf('9.2.0', 'mkdir -p node_modules/.bin') });
  const ran = await checkout.run();
  expect(ran).toEqual({ code: 1, stdout: '', stderr: `node.sh: npm ci left no ${checkout.node}\n` });
  expect(existsSync(join(checkout.dir, 'node_modules/.installed-lock.json'))).toBe(false);
});
