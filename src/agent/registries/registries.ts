/**
 * @module
 * `registries.yaml`: from where, with which password and by which certificates images are pulled. Taken up without a restart.
 * Knows: k3s's file, containerd's `hosts.toml`, how registries ask for passwords. Leaves to others: pulling (runtime/).
 *
 *   mirrors, TLS            containerd ── hosts.toml ──▶ registry
 *   passwords, rewrites     containerd ── hosts.toml ──▶ relay on 127.0.0.1 ──▶ registry
 */
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { conditionTracker } from '../../shared/component/component.ts';
import type { Component } from '../../shared/component/component.ts';
import { messageOf, systemCode, remedyOf } from '../../shared/errors.ts';
import type { EventLog } from '../../shared/events/events.ts';
import { foldersIn, makeFolderIfPossible, readFileIfExists, writeFileIfChanged } from '../../shared/files/files.ts';
import type { Log } from '../../shared/log/log.ts';
import { registriesOf } from './endpoints.ts';
import type { Registry } from './endpoints.ts';
import { readRegistries } from './file.ts';
import type { RegistriesFile } from './file.ts';
import { hostsFile, hostsFileHead } from './hosts-file.ts';
import { Relay } from './relay.ts';
import { problemWith } from './tls.ts';
import { pause } from '../../shared/pause.ts';
import { untilNextRound } from '../../shared/rounds.ts';

export interface RegistriesOptions {
  readonly path: string;
  /** A file that a person has named must be there. */
  readonly required: boolean;
  /** containerd's `certs.d`. What others have put there stays. */
  readonly hostsDir: string;
  /** Ask nobody but the mirrors, where there are some. */
  readonly disableDefaultEndpoint: boolean;
  /** What is reached without a proxy, as `NO_PROXY` has it. */
  readonly direct: () => readonly string[];
  readonly log: Log;
  readonly events: EventLog;
}

/** Looking costs microseconds; an editor has written its file by the next time. */
const lookEveryMs = 2000;

/** Ready when containerd can know. A registries.yaml that is not sound ends a start, and changes nothing later. */
export function createRegistries(options: RegistriesOptions): Component {
  const { path, log, events } = options;
  const condition = conditionTracker();
  const relay = new Relay(options);
  const stopping = new AbortController();
  let work = Promise.resolve();
  let inUse: RegistriesFile | undefined;

  const takeUp = async () => {
    inUse = await readRegistries(path, options);
    const registries = registriesOf(inUse, options.disableDefaultEndpoint);
    for (const [registry, { tls }] of inUse.configs) {
      const problem = problemWith(tls);
      if (problem === undefined) continue;
      log.warn('certificates of a registry cannot be used', { registry, problem });
      const message = `${registry}: ${problem}; images are not pulled from there until they can be`;
      events.record({ type: 'Warning', reason: 'RegistryCertificatesUnusable', regarding: 'registries.yaml', message });
    }
    makeFolderIfPossible(options.hostsDir, 0o755, log);
    const relayed = await relay.serve(registries);
    for (const left of writeHostsFiles(options.hostsDir, registries, relayed))
      log.warn('something else is where a hosts.toml belongs', { path: left });
    condition.set('True', 'Applied', '');
  };

  const follow = async () => {
    let seen = stampOf(path, inUse);
    while (!stopping.signal.aborted) {
      await pause(untilNextRound(lookEveryMs), stopping.signal);
      const now = stampOf(path, inUse);
      if (stopping.signal.aborted || now === seen) continue;
      try {
        await takeUp();
        log.info('registries reloaded', { path });
      } catch (error) {
        log.warn('registries not reloaded', { path, error });
        const message = `${messageOf(error)}; the last valid file stays in use`;
        events.record({ type: 'Warning', reason: 'RegistriesNotTakenUp', regarding: 'registries.yaml', message });
        condition.set('False', 'NotApplied', messageOf(error), remedyOf(error));
      }
      seen = stampOf(path, inUse);
    }
  };

  return {
    name: 'registries',
    after: [],
    async start() {
      await takeUp();
      work = follow();
    },
    async stop() {
      stopping.abort();
      await work;
      await relay.close();
    },
    health: () => condition.current(),
  };
}

/** @returns files of others that are where ours belong */
function writeHostsFiles(
  dir: string,
  registries: readonly Registry[],
  relayed: Parameters<typeof hostsFile>[1],
): readonly string[] {
  const wanted = new Map(registries.map((one) => [one.name === '*' ? '_default' : one.name, hostsFile(one, relayed)]));
  const isOthers = (name: string) => isOthersFile(join(dir, name, 'hosts.toml'));
  for (const name of foldersIn(dir)) {
    if (!wanted.has(name) && !isOthers(name)) rmSync(join(dir, name, 'hosts.toml'), { force: true });
  }
  return [...wanted].flatMap(([name, text]) => {
    const path = join(dir, name, 'hosts.toml');
    if (isOthers(name)) return [path];
    try {
      writeFileIfChanged(path, text, 0o600);
      return [];
    } catch (error) {
      if (systemCode(error) !== 'ENOTDIR' && systemCode(error) !== 'EEXIST') throw error;
      return [path]; // what should be its folder is none
    }
  });
}

function isOthersFile(path: string): boolean {
  try {
    return readFileIfExists(path)?.startsWith(hostsFileHead) === false;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return true; // a folder, a link to itself: none of ours
  }
}

/** Differs when the file, or a certificate that it names, has changed. */
function stampOf(path: string, file: RegistriesFile | undefined): string {
  const tls = [...(file?.configs.values() ?? [])].map((config) => config.tls);
  const files = [path, ...tls.flatMap(({ caFile, certFile, keyFile }) => [caFile, certFile, keyFile])];
  return files.map((one) => (one === undefined ? '' : stampOfFile(one))).join(' ');
}

function stampOfFile(path: string): string {
  try {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat === undefined ? 'none' : `${stat.ino}:${stat.size}:${stat.mtimeMs}`;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return messageOf(error); // said when it is read
  }
}

export { RegistriesInvalidError } from './errors.ts';
