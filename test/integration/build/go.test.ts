/** scripts/build/go.sh, on machines whose programs are scripts of the test. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { useGo } from '../../../scripts/build/pinned-go.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

const script = readFileSync(join(import.meta.dirname, '../../../scripts/build/go.sh'), 'utf8');
/** One that the machine of this run has nowhere. */
const pinned = '1.98.7';
const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';

/** A Go of that version; it fetches modules as Go does: without run bits, and with each go.mod under another name. */
const goOf = (version: string, fetching = '') => `#!/bin/sh
case "$1" in
version) echo "go version go${version} linux/${arch}" ;;
env) dirname "$(dirname "$0")" ;;
mod)
  env >"$HOME/environment"
  ${fetching}
  tree=$GOMODCACHE/$4
  mkdir -p "$tree/bin" "$tree/pkg/tool/linux_${arch}" "$tree/src/cmd"
  printf '#!/bin/sh\necho go version go%s linux/${arch}\n' '${pinned}' >"$tree/bin/go"
  : >"$tree/pkg/tool/linux_${arch}/compile"
  : >"$tree/src/_go.mod"
  : >"$tree/src/cmd/_go.mod"
  ;;
esac
`;

function machineWith(gos: Readonly<Record<string, string>>) {
  const home = temporaryDir();
  const folders = Object.entries(gos).map(([folder, text]) => {
    mkdirSync(join(home, folder, 'bin'), { recursive: true });
    writeFileSync(join(home, folder, 'bin/go'), text, { mode: 0o755 });
    return join(home, folder, 'bin');
  });
  const cache = join(home, '.cache/kagent/build');
  writeFileSync(join(home, 'go.sh'), script.replace(/^VERSION=\S+/m, `VERSION=${pinned}`));
  return {
    home,
    cache,
    fetched: join(cache, `go-${pinned}-linux-${arch}`),
    run: async (env: Readonly<Record<string, string>> = {}) => {
      const PATH = [...folders, '/usr/bin', '/bin'].join(':');
      const ran = promisify(execFile)('/bin/sh', [join(home, 'go.sh')], { env: { HOME: home, PATH, ...env } });
      return ran.then(
        ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
        ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({ code, stdout, stderr }),
      );
    },
  };
}

test("an old Go fetches the pinned one, which comes out able to run, and the user's own settings do not disturb", async () => {
  const machine = machineWith({ old: goOf('1.19.8') });
  const settings = {
    GOFLAGS: '-mod=vendor',
    GOROOT: '/nowhere',
    GOTOOLCHAIN: 'go1.2',
    GOPROXY: 'https://proxy.example',
  };
  const ran = await machine.run(settings);
  expect(ran).toMatchObject({
    code: 0,
    stdout: `${machine.fetched}/bin\n`,
    stderr: expect.stringContaining('go1.19.8'),
  });
  for (const program of ['bin/go', `pkg/tool/linux_${arch}/compile`]) {
    expect(statSync(join(machine.fetched, program)).mode & 0o777).toBe(0o755);
  }
  expect(['src/go.mod', 'src/cmd/go.mod'].map((file) => existsSync(join(machine.fetched, file)))).toEqual([true, true]);
  const environment = readFileSync(join(machine.home, 'environment'), 'utf8').split('\n');
  const ours = ['GOFLAGS=-mod=mod -modcacherw', 'GOTOOLCHAIN=local', 'GOPROXY=https://proxy.example'];
  expect(environment).toEqual(expect.arrayContaining(ours));
  expect(environment.filter((line) => line.startsWith('GOROOT='))).toEqual([]);
  expect(readdirSync(machine.cache)).toEqual([`go-${pinned}-linux-${arch}`]);
});

test('what was fetched once is not fetched again', async () => {
  const machine = machineWith({ old: goOf('1.19.8', '[ ! -e "$HOME/fetched" ] || exit 1; : >"$HOME/fetched"') });
  await machine.run();
  expect(await machine.run()).toEqual({ code: 0, stdout: `${machine.fetched}/bin\n`, stderr: '' });
});

test('a Go of that very version is used as it is, also behind an older one', async () => {
  const machine = machineWith({ old: goOf('1.24.4'), pinned: goOf(pinned) });
  expect(await machine.run()).toEqual({ code: 0, stdout: `${join(machine.home, 'pinned/bin')}\n`, stderr: '' });
  expect(existsSync(machine.cache)).toBe(false);
});

test('a newer one is not used either: what is built depends on the sources alone', async () => {
  const machine = machineWith({ newer: goOf('1.99.0') });
  expect((await machine.run()).stdout).toBe(`${machine.fetched}/bin\n`);
});

test('a go that does not work is passed over', async () => {
  const machine = machineWith({ broken: '#!/bin/sh\nexit 127\n', old: goOf('1.19.8') });
  expect((await machine.run()).stdout).toBe(`${machine.fetched}/bin\n`);
});

test('a run that was killed leaves nothing that could be used, and the next one fetches it whole', async () => {
  const machine = machineWith({
    old: goOf(
      '1.19.8',
      'if [ ! -e "$HOME/killed" ]; then : >"$HOME/killed"; mkdir -p "$GOMODCACHE/$4/bin"; kill -KILL $PPID; fi',
    ),
  });
  expect((await machine.run()).code).not.toBe(0);
  expect(existsSync(machine.fetched)).toBe(false);
  expect((await machine.run()).stdout).toBe(`${machine.fetched}/bin\n`);
  expect(existsSync(join(machine.fetched, 'src/go.mod'))).toBe(true);
});

test('where it cannot be fetched, what Go says about it is said, and nothing stays', async () => {
  const machine = machineWith({ old: goOf('1.19.8', `echo '	"Error": "dial tcp: no route to host"'; exit 1`) });
  const ran = await machine.run();
  expect(ran.code).toBe(1);
  expect(ran.stderr).toMatch(/could not be fetched by .*old\/bin\/go: "dial tcp: no route to host" .*GOPROXY/);
  expect(readdirSync(machine.cache)).toEqual([]);
});

test('for the build it comes first on the PATH, with settings that no file of the user overrides', () => {
  const env: NodeJS.ProcessEnv = { PATH: '/usr/bin:/pinned:/bin', GOROOT: '/usr/local/go', GOFLAGS: '-mod=vendor' };
  useGo('/pinned', env);
  const settings = { GOTOOLCHAIN: 'local', GOWORK: 'off', GO111MODULE: 'on', GOFLAGS: '-mod=readonly' };
  expect(env).toEqual({ PATH: '/pinned:/usr/bin:/bin', HOME: homedir(), ...settings });
});
