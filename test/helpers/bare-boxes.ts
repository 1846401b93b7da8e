/** Boxes with nothing on them but what Debian's package manager needs, and a checkout of what is here. */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { defaultCacheDir } from '../../scripts/build/cache.ts';
import { boxOn, keepLogsAndWipe } from './cluster.ts';
import type { Box } from './cluster.ts';
import { bareRoot } from './debian.ts';
import { createLab } from './lab.ts';
import type { CommandResult, Lab } from './lab.ts';
import { openForwardProxy } from './forward-proxy.ts';
import type { ForwardProxy } from './forward-proxy.ts';

const run = promisify(execFile);
const repository = resolve(import.meta.dirname, '../..');
const checkout = '/root/kagent';
/** As small as an init gets: nothing is left a zombie. */
const init = `/bin/bash -c 'trap "exit 0" TERM; while :; do sleep 1000 & wait $!; done'`;
/** Where Debian's own package looks for the CAs of an administrator. */
const administratorsCas = '/usr/local/share/ca-certificates';
const hourMs = 3_600_000;

export interface BareBox extends Box {
  /** Runs a line of shell in the checkout, in an environment that has these variables alone. */
  typed(line: string, environment?: Readonly<Record<string, string>>): Promise<CommandResult>;
  /** Names of the packages that are installed. */
  packages(): Promise<readonly string[]>;
  /** Keeps the logs and erases the box. */
  wipe(): Promise<void>;
}

/** Built components and downloads are shared with this machine, so that what is the same is not made again. */
export async function createBareBox(scenario: string, suite: string): Promise<BareBox> {
  const given = await mkdtemp(join(tmpdir(), 'kagent-test-'));
  await Promise.all([copyCheckout(join(given, 'kagent')), copyCas(join(given, 'cas'))]);
  const caches = await sharedCaches();
  for (const dir of caches.folders) await mkdir(dir, { recursive: true });
  const lab = await createLab({ share: [given, ...caches.folders] });
  let proxy: ForwardProxy | undefined;
  const wipe = async (boxes: readonly Box[]) => {
    await keepLogsAndWipe(lab, boxes, scenario);
    await proxy?.close();
    await rm(given, { recursive: true });
  };
  try {
    proxy = await openForwardProxy(lab);
    const box = boxOn(await lab.host('s1', 11, { root: await bareRoot(suite), init }));
    await box.sh(
      `cp -r '${given}/kagent' ${checkout} && mkdir -p ${administratorsCas} && cp -r '${given}/cas/.' ${administratorsCas}`,
    );
    await box.sh('echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/not-for-long'); // a lab's disk is not kept
    return bareBox(box, { ...proxy.env, ...withoutProxy(lab), ...caches.env }, () => wipe([box]));
  } catch (error) {
    await wipe([]);
    throw error;
  }
}

function bareBox(box: Box, settings: Readonly<Record<string, string>>, wipe: () => Promise<void>): BareBox {
  const words = (env: Readonly<Record<string, string>>) =>
    Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return {
    ...box,
    typed: (line, environment = {}) =>
      box.host.exec(
        [
          'env',
          '-i',
          ...words({ ...settings, ...environment }),
          '/bin/sh',
          '-c',
          `cd ${checkout} && { ${line}; } 2>&1`,
        ],
        { timeoutMs: hourMs },
      ),
    packages: async () => (await box.sh(String.raw`dpkg-query -W -f '${'${Package}'}\n' | sort`)).trim().split('\n'),
    wipe,
  };
}

/** What a fresh clone would have, with what has changed here. */
async function copyCheckout(to: string): Promise<void> {
  const which = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const { stdout } = await run('git', which, { cwd: repository, maxBuffer: 1 << 26 });
  for (const file of stdout.split('\0').filter((name) => name !== '')) {
    await mkdir(dirname(join(to, file)), { recursive: true });
    await cp(join(repository, file), join(to, file));
  }
}

async function copyCas(to: string): Promise<void> {
  await mkdir(to);
  for (const name of await readdir(administratorsCas).catch(() => []))
    await cp(join(administratorsCas, name), join(to, name));
}

async function sharedCaches() {
  const said = async (command: string, ...args: readonly string[]) => (await run(command, args)).stdout.trim();
  const [modules, npm] = [await said('go', 'env', 'GOMODCACHE'), await said('npm', 'config', 'get', 'cache')];
  const cacheHome = dirname(dirname(defaultCacheDir));
  return {
    folders: [defaultCacheDir, modules, npm],
    env: { XDG_CACHE_HOME: cacheHome, GOMODCACHE: modules, npm_config_cache: npm },
  };
}

/** As an administrator has it who sets a proxy. */
function withoutProxy(lab: Lab): Readonly<Record<string, string>> {
  const net = lab.switchAddress.replace(/\.1$/, '.0/24');
  return { no_proxy: `127.0.0.0/8,${net},10.42.0.0/16,10.43.0.0/16,.svc,.cluster.local` };
}
