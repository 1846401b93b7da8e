import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { makeFolder, readFileIfExists, writeFileAtomicSync, writeFileIfChanged } from '../../shared/files/files.ts';
import { takeSecrets, variableOf } from '../../shared/secret-arguments.ts';
import type { SecretFlag } from '../../shared/secret-arguments.ts';
import { claimOf, missingAbove, openUndoLog } from '../undo-log/undo-log.ts';
import type { Made } from '../undo-log/undo-log.ts';
import { configDir, pathsOf } from '../../shared/paths.ts';
import { lookUntil } from '../../shared/look-until.ts';
import { checkDefinition, checkServiceName, commandIn } from './definition.ts';
import { mergeEnvironment } from './env-file.ts';
import type { ServiceHost } from './host.ts';
import { readyLooks } from './looks.ts';
import { environmentIn, saidDataDir } from './said.ts';
import type { Readiness, ServiceManager } from './types.ts';

export interface InstallOptions {
  readonly host: ServiceHost;
  readonly manager: ServiceManager;
  /** `kagent`, or `kagent-agent` for an agent, unless given. */
  readonly name: string | undefined;
  readonly executable: string;
  /** As after `sh -s -`: with or without the word server or agent; none at all keeps those of the last time. */
  readonly args: readonly string[];
  /** The installer's own environment. */
  readonly env: Readonly<NodeJS.ProcessEnv>;
  /** Their values go to the environment file: definitions are readable by everybody. */
  readonly secretFlags: readonly SecretFlag[];
  readonly skipEnable: boolean;
  readonly skipStart: boolean;
  readonly forceRestart: boolean;
  readonly timeoutMs: number;
  /** What install.sh made before, for the undo log. */
  readonly made: readonly Made[];
  /** How the service is that was started. */
  readonly readiness: (signal: AbortSignal) => Promise<Readiness>;
  /** A line for the person who waits. */
  readonly print: (line: string) => void;
}

/**
 * Writes what is not yet as asked, and restarts only if the executable, the definition or the environment is another
 * than the one the service runs with. What it runs with is noted after a start that succeeded, so that an installation
 * that was broken off is finished by the next.
 */
export async function installService(options: InstallOptions, signal: AbortSignal): Promise<void> {
  const { host, manager, print } = options;
  if (options.name !== undefined) checkServiceName(options.name);
  const { name, args, env } = withoutSecrets(serviceOf(options), options);
  checkDefinition({ name, executable: options.executable, args });
  const files = manager.files(name);
  const environment = mergeEnvironment(readFileIfExists(files.environment) ?? '', env);
  noteWhatIsThere(options, args, environment);
  makeFolder(host.path(configDir), 0o755); // a kubeconfig there may be meant for others
  if (writeFileIfChanged(files.environment, environment, 0o600)) print(`wrote ${files.environment}`);
  const text = manager.text({ name, executable: options.executable, args });
  if (writeFileIfChanged(files.definition, text, manager.kind === 'systemd' ? 0o644 : 0o755)) {
    print(`wrote ${files.definition}`);
    await manager.reload();
  }
  if (!options.skipEnable) print(await manager.enable(name));
  if (options.skipStart) return print(`${name} is not started, as asked`);

  const wanted = await fingerprint(options.executable, [text, environment]);
  const isUnchanged = readFileIfExists(appliedFile(host, name)) === wanted;
  if (isUnchanged && !options.forceRestart && (await manager.isRunning(name))) {
    return print(`${name} runs with exactly this already: not restarted`);
  }
  const startOptions = { onStatus: print, timeoutMs: options.timeoutMs };
  await manager.restart(name, startOptions, signal);
  writeFileAtomicSync(appliedFile(host, name), wanted, 0o600);
  print(`${name} is Ready`);
  await untilKnown(options, signal);
}

const knownWithinMs = 90_000;

/**
 * A node is Ready before its Pods find a name; what comes after this says whether they do. A component decides within its
 * own time, so this end is for one that does not.
 */
async function untilKnown({ readiness, print }: InstallOptions, signal: AbortSignal): Promise<void> {
  const deadlineMs = performance.now() + knownWithinMs;
  let told = '';
  await lookUntil(
    async () => {
      const names = (await readiness(signal)).unknown.join(', ');
      if (names === '' || performance.now() > deadlineMs) return true;
      if (names !== told) print(`waiting for ${names}`);
      told = names;
      return undefined;
    },
    readyLooks,
    signal,
  );
}

/** Before the first file is written. What has a mark of ours in it needs no note: it is found by that. */
function noteWhatIsThere({ host, made }: InstallOptions, args: readonly string[], environment: string): void {
  const { dataDir, undoLog } = pathsOf(saidDataDir({ args, environment: environmentIn(environment), host }));
  const claims = [dataDir, host.path(configDir)].map(claimOf);
  openUndoLog(undoLog).record(...made, ...missingAbove(dataDir), ...claims);
}

/** What the running service was started with. */
export function appliedFile(host: ServiceHost, name: string): string {
  return host.path(`/etc/kagent/${name}.applied`);
}

interface Service {
  readonly name: string;
  readonly args: readonly string[];
  /** Whether the arguments are those of the installed service. */
  readonly isEarlier: boolean;
}

/**
 * Secrets move from the arguments, also those of a definition that an earlier kagent wrote, to the environment. What is said
 * now goes before what the service had; a secret that is now said as a file is not said any more.
 */
function withoutSecrets({ name, args, isEarlier }: Service, { env, secretFlags }: InstallOptions) {
  const taken = takeSecrets(args, secretFlags);
  const merged: Record<string, string | undefined> = isEarlier ? { ...taken.env, ...env } : { ...env, ...taken.env };
  for (const { long } of isEarlier ? [] : secretFlags) {
    const isFile = args.some((arg) => arg.split('=', 1)[0] === `${long}-file`);
    if (isFile || (env[variableOf(`${long}-file`)] ?? '') !== '') merged[variableOf(long)] ??= '';
  }
  return { name, args: taken.args, env: merged } as const;
}

function serviceOf(options: InstallOptions): Service {
  const { manager, args, env } = options;
  const earlier = (name: string) => commandIn(readFileIfExists(manager.files(name).definition) ?? '')?.args;
  const before =
    options.name === undefined
      ? ['kagent', 'kagent-agent'].map(earlier).find((found) => found !== undefined)
      : earlier(options.name);
  const isEarlier = args.length === 0 && env['KAGENT_URL'] === undefined;
  const wanted = isEarlier ? (before ?? []) : args;
  const [first = '-'] = wanted;
  const hasUrl = (env['KAGENT_URL'] ?? '') !== '';
  const mode = hasUrl ? 'agent' : (before?.[0] ?? 'server'); // as k3s: who has an address to join is an agent
  const complete = first.startsWith('-') ? [mode, ...wanted] : wanted;
  return { name: options.name ?? (complete[0] === 'agent' ? 'kagent-agent' : 'kagent'), args: complete, isEarlier };
}

async function fingerprint(executable: string, texts: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(`${text.length} ${text}`);
  await pipeline(createReadStream(executable), hash);
  return `${hash.digest('hex')}\n`;
}
