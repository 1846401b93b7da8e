import {
  constants,
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  statfsSync,
} from 'node:fs';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isSea } from 'node:sea';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { makeFolder } from '../shared/files/files.ts';
import { findBundle } from '../host/assets/assets.ts';
import type { Bundle } from '../host/assets/assets.ts';
import { messageOf, systemCode } from '../shared/errors.ts';
import { defaultDataDir } from '../shared/paths.ts';
import { labDown } from './down.ts';
import { LabDataDirError, LabExistsError, LabFailedError } from './errors.ts';
import {
  hostsOf,
  installScript,
  joinTokenFile,
  kagentCommand,
  nodeTokenFile,
  onDisk,
  server,
  serverTokenFile,
  sharedDir,
} from './hosts.ts';
import type { LabHost, LabRecord } from './hosts.ts';
import { labsDir } from './records.ts';
import type { Records } from './records.ts';
import { labScript } from './script.ts';
import type { LabScript } from './script.ts';

const readyWithinMs = 300_000;
const overlayfs = 0x79_4c_76_30; // statfs(2)

export interface UpOptions {
  readonly records: Records;
  /** A line for the person who waits. */
  readonly print: (line: string) => void;
  /** Aborting takes away what is made so far. */
  readonly signal: AbortSignal;
}

/** Resolves when every node is Ready. After a failure nothing is left. */
export async function labUp(lab: LabRecord, { records, print, signal }: UpOptions): Promise<void> {
  const executable = isSea() ? process.execPath : fileURLToPath(new URL('../../dist/kagent', import.meta.url));
  const bundle = await bundleFor(executable, { print, signal });
  if (records.find(lab.name) !== undefined) throw new LabExistsError(lab.name);
  makeDir(lab);
  records.claim(lab);
  try {
    await copyExecutable(lab, executable, bundle);
    await startHosts(lab, { print, signal });
  } catch (error) {
    print(`removing what there is of the lab ${lab.name}`);
    await labDown(lab, records);
    if (signal.aborted) throw new LabFailedError(`the lab ${lab.name}`, 'stopped before it was up; nothing is left');
    throw error;
  }
}

/** A slim executable may have to fetch it, to where a kagent on this box would. */
async function bundleFor(executable: string, { print, signal }: Pick<UpOptions, 'print' | 'signal'>): Promise<Bundle> {
  try {
    return await findBundle({
      asked: isSea() ? undefined : (process.env['KAGENT_BUNDLE'] ?? executable),
      env: process.env,
      dataDir: defaultDataDir,
      onFetch: (_needed, url) => print(`fetching the components from ${url}`),
      signal,
    });
  } catch (error) {
    if (signal.aborted) throw new LabFailedError('the components', 'stopped before they were fetched');
    throw error;
  }
}

/** The folder that `down` erases: until now there is nothing in it. @throws {LabDataDirError} */
function makeDir({ dir }: LabRecord): void {
  const parent = dirname(dir);
  const isDefault = parent === labsDir;
  try {
    const { type } = statfsSync(isDefault ? dirname(parent) : parent);
    if (type === overlayfs) throw new LabDataDirError(parent, 'it is on overlayfs, which cannot be stacked on itself');
    if (isDefault || !existsSync(dir)) mkdirSync(dir, { recursive: isDefault, mode: 0o700 });
    if (readdirSync(dir).length > 0) throw new LabDataDirError(parent, `there is something in ${dir}`);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    throw new LabDataDirError(parent, messageOf(error));
  }
}

/** A copy, since what a running host sees must not change; whole, also of a slim executable with a bundle beside it. */
async function copyExecutable(lab: LabRecord, executable: string, bundle: Bundle): Promise<void> {
  const target = join(sharedDir(lab), 'kagent');
  makeFolder(sharedDir(lab), 0o755);
  await copyFile(executable, target, constants.COPYFILE_FICLONE);
  if (bundle.path === executable) return;
  await pipeline(createReadStream(bundle.path, { start: bundle.start }), createWriteStream(target, { flags: 'a' }));
}

async function startHosts(lab: LabRecord, { print, signal }: Pick<UpOptions, 'print' | 'signal'>): Promise<void> {
  const script = labScript(lab);
  const hosts = hostsOf(lab);
  await script.run(['net-up'], { signal });
  for (const host of hosts) {
    await script.run(['up', host.name, String(host.lastByte)], { signal });
    await script.inHost(host, ['sh', '-c', installScript(lab)], { signal });
    print(`${host.name.padEnd(4)} is on, ${host.address}`);
  }
  await startKagent({ lab, script, host: server, print, signal });
  const giveToken = async (host: LabHost, file: string) => {
    const token = await readFile(onDisk(lab, server, file), 'utf8');
    await writeFile(onDisk(lab, host, joinTokenFile), token, { mode: 0o600 });
  };
  // One comes into the etcd at a time anyway.
  for (const host of hosts.filter(({ role, name }) => role === 'server' && name !== server.name)) {
    await giveToken(host, serverTokenFile);
    await startKagent({ lab, script, host, print, signal });
  }
  const failure = new AbortController();
  const stop = AbortSignal.any([signal, failure.signal]);
  const agents = hosts.filter(({ role }) => role === 'agent');
  const started = agents.map(async (host) => {
    await giveToken(host, nodeTokenFile);
    await startKagent({ lab, script, host, print, signal: stop }).catch((error: unknown) => {
      failure.abort(error); // the others need not wait
      throw error;
    });
  });
  await Promise.allSettled(started);
  await Promise.all(started);
}

interface StartOptions {
  readonly lab: LabRecord;
  readonly script: LabScript;
  readonly host: LabHost;
  readonly print: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Resolves when the host's node is Ready. @throws {LabFailedError} */
export async function startKagent({ lab, script, host, print, signal }: StartOptions): Promise<void> {
  const say = (text: string) => print(`${host.name.padEnd(4)} ${text}`);
  const began = performance.now();
  const tooLong = AbortSignal.timeout(readyWithinMs);
  try {
    // Its progress; what it says at the end is said below.
    const onLine = (line: string) => {
      if (line.includes('waiting for') && !signal.aborted) say(line);
    };
    const options = { onLine, signal: AbortSignal.any([signal, tooLong]) };
    await script.inHost(host, kagentCommand(lab, host), options);
  } catch (error) {
    signal.throwIfAborted(); // the reason says more
    if (!tooLong.aborted) throw error;
    throw new LabFailedError(host.name, `not Ready after ${readyWithinMs / 1000} s`);
  }
  say(`is Ready after ${((performance.now() - began) / 1000).toFixed(1)} s`);
}
