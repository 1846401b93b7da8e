/** Settings of the kagent that this box has, for commands that are about it and are started without its flags. */
import { askStatus } from '../host/daemon/daemon.ts';
import { defaultDataDir, runPaths } from '../shared/paths.ts';
import { variableOf } from '../shared/secret-arguments.ts';
import {
  environmentOf,
  everyServiceManager,
  hostAt,
  installedServices,
  saidSettings,
} from '../host/service/service.ts';
import type { Said, ServiceHost } from '../host/service/service.ts';
import { readFileIfReadable } from '../shared/files/files.ts';

export interface HostSettings {
  /** undefined: the setting's default. */
  said(key: string): string | undefined;
  readonly dataDir: string;
  /** Who says where that is: `the service kagent`. */
  readonly source: string;
  readonly isRunning: boolean;
}

export interface HostSettingsOptions {
  readonly host?: ServiceHost;
  readonly statusSocket?: string;
  /** The caller's own variables, which go before all others; a flag of the command is the caller's to look at. */
  readonly env?: Readonly<NodeJS.ProcessEnv>;
  /** Of what is asked; where both are installed, its settings count. */
  readonly mode?: 'server' | 'agent';
}

/** All from one kagent: the one that runs, else the installed service, else one that would be started without flags. */
export async function settingsOfHost(options: HostSettingsOptions = {}): Promise<HostSettings> {
  const { host = hostAt('/'), statusSocket = runPaths.statusSocket, env = process.env, mode } = options;
  const running = await runningKagent(host, statusSocket);
  const found = running ?? installedKagent(host, mode) ?? unstarted(host, env);
  const ofKagent = saidSettings(found);
  const own = (key: string) => (env[variableOf(key)] === '' ? undefined : env[variableOf(key)]);
  const said = (key: string) => own(key) ?? ofKagent(key);
  return {
    said,
    dataDir: said('data-dir') ?? host.path(defaultDataDir),
    source: own('data-dir') === undefined ? found.source : variableOf('data-dir'),
    isRunning: running !== undefined,
  };
}

type Source = Said & { readonly source: string };

async function runningKagent(host: ServiceHost, statusSocket: string): Promise<Source | undefined> {
  const status = await askStatus(statusSocket).catch(() => undefined); // not running, or not permitted
  if (status === undefined) return undefined;
  const wordsOf = (file: string) => (readFileIfReadable(`/proc/${status.pid}/${file}`) ?? '').split('\0');
  const variables = wordsOf('environ').filter((word) => word.includes('='));
  const pairs = variables.map((word) => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]);
  const environment = Object.fromEntries(pairs) as Readonly<NodeJS.ProcessEnv>;
  // What it says itself goes last, and so counts: what it was started with may not be readable.
  const args = [...wordsOf('cmdline').filter((word) => word !== ''), '--data-dir', status.dataDir];
  return { args, environment, host, source: 'the kagent that runs here' };
}

function installedKagent(host: ServiceHost, mode: string | undefined): Source | undefined {
  const services = installedServices(everyServiceManager({ host }));
  const service = services.find(({ args }) => args[0] === mode) ?? services[0];
  if (service === undefined) return undefined;
  const environment = environmentOf(service);
  return { args: service.args, environment, host, source: `the service ${service.name}` };
}

function unstarted(host: ServiceHost, environment: Readonly<NodeJS.ProcessEnv>): Source {
  return { args: [], environment, host, source: 'config.yaml and the defaults' };
}
