/** A containerd of its own, as the bundle has it, for tests that need its images and no pods. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { onTestFinished } from 'vitest';
import { criPing } from '../../src/agent/runtime/containerd-api.ts';
import { containerdConfig } from '../../src/agent/runtime/config.ts';
import { end } from './etcd-servers.ts';
import { eventually } from './wait.ts';

const bundled = resolve(import.meta.dirname, '../../dist/components/bin/containerd');
const program = process.env['KAGENT_TEST_CONTAINERD'] ?? bundled;

export interface TestContainerd {
  readonly socketPath: string;
  /** With `image-import` and `ctr`. */
  readonly binDir: string;
}

/** Its mounts are in a namespace of its own, and go with it. */
export async function startContainerd(dir: string): Promise<TestContainerd> {
  if (!existsSync(program)) throw new Error(`${program} is not there: node scripts/build/bundle.ts --only containerd`);
  const binDir = join(dir, 'bin');
  mkdirSync(binDir);
  for (const name of ['containerd', 'ctr', 'image-import']) symlinkSync(program, join(binDir, name));
  const socketPath = join(dir, 'containerd.sock');
  const config = containerdConfig({
    rootDir: join(dir, 'root'),
    stateDir: join(dir, 'state'),
    socketPath,
    runcPath: join(binDir, 'runc'),
    cniBinDirs: [binDir],
    cniConfDir: dir,
    registryHostsDir: join(dir, 'certs.d'),
    dropInDir: join(dir, 'conf.d'),
    sandboxImage: 'kagent.test/pause:1',
    defaultRuntime: 'runc',
    nonrootDevices: false,
    systemdCgroup: false,
    restrictOomScoreAdj: true,
    snapshotter: 'native',
  });
  const configPath = join(dir, 'config.toml');
  writeFileSync(configPath, config);
  const namespace = process.getuid?.() === 0 ? '-m' : '-Urm';
  const command = [join(binDir, 'containerd'), '--config', configPath, '--log-level', 'error'];
  const child = spawn('unshare', [namespace, ...command], { stdio: 'ignore', env: { PATH: process.env['PATH'] } });
  onTestFinished(() => end(child));
  const ping = criPing(socketPath);
  await eventually(() => ping(AbortSignal.timeout(1000)).then(() => true), {
    what: 'containerd',
    withinMs: 60_000,
  });
  return { socketPath, binDir };
}
