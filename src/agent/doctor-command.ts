/** `kagent doctor`: what is wrong with this box, or on the path to the server, and what helps. */
import { Argument, Command } from 'commander';
import type * as z from 'zod';
import {
  addSettings,
  configFileOption,
  jsonOption,
  loadSettings,
  print,
  SecretOption,
  secretSetting,
  settingsOfHost,
} from '../cli/cli.ts';
import { rfc3339 } from '../shared/clock.ts';
import { askStatus, NoAnswerError } from '../host/daemon/daemon.ts';
import { openUndoLog } from '../host/undo-log/undo-log.ts';
import { pathsOf, runPaths } from '../shared/paths.ts';
import type { Paths } from '../shared/paths.ts';
import { doctorPlan } from './open-host.ts';
import type { HostOptions } from './open-host.ts';
import { agentPlan } from './commands.ts';
import { AgentConfig } from './config.ts';
import {
  allChecks,
  examinedHost,
  cisHost,
  cisText,
  diagnosisJson,
  diagnosisText,
  examine,
  examineCis,
  examinePath,
  merged,
  repair,
  whatToDo,
} from '../host/doctor/doctor.ts';
import type { Diagnosis, Running, ServerPath } from '../host/doctor/doctor.ts';
import { joinedSettings, walkToServer } from './membership/membership.ts';

interface Flags {
  readonly dataDir?: string;
  readonly config?: string;
  readonly fix?: boolean;
  readonly cis?: boolean;
  readonly from?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly json?: boolean;
  readonly output?: string;
  readonly verbose?: boolean;
  readonly quiet?: boolean;
}

export interface DoctorOptions {
  readonly serverSchema: z.ZodObject;
  /** What `kagent server` would need of this box, by its configuration file. */
  readonly serverPlan: (command: Command) => HostOptions;
  readonly known: readonly z.ZodObject[];
}

export function doctorCommand(options: DoctorOptions): Command {
  const command = new Command('doctor')
    .alias('check-config') // k3s's name
    .description('Check this box for what would keep kagent from running well, and say what helps')
    .addArgument(new Argument('[mode]', 'what is to run here (as config.yaml says)').choices(['server', 'agent']))
    .argument('[flags...]', "after '--': the flags that 'kagent server' or 'kagent agent' would have")
    .option('-d, --data-dir <path>', 'where kagent keeps its data, or will')
    .option(
      '--cis',
      'check against the CIS Kubernetes Benchmark instead: pass, fail or not applicable, why, and the next step',
    )
    .option('--fix', 'repair what can be repaired safely; uninstalling undoes it')
    .option('--from <server>', 'also check the path to this server: https://SERVER:9345')
    .addOption(
      new SecretOption('-t, --token <value>', 'token with which this box would join; one that has joined needs none'),
    )
    .option('--token-file <path>', 'file that holds the token')
    .option('-c, --config <file>', 'configuration file')
    .option('--verbose', 'also show the checks that found nothing')
    .option('-q, --quiet', 'show only what needs doing, without the reasons; nothing if all is well')
    .addOption(jsonOption())
    .option('--json', 'the same as -o json');
  return command.action(async (mode: HostOptions['mode'] | undefined, startFlags: readonly string[], flags: Flags) => {
    // As the kagent of this box has it, unless the caller says where.
    if (flags.dataDir === undefined && flags.config === undefined)
      command.setOptionValue('dataDir', (await settingsOfHost()).dataDir);
    if (flags.cis === true) return await printCis(command, flags, options);
    const settings = startFlags.length === 0 ? command : startOf(mode, startFlags, options);
    const diagnosis = await run(settings, mode, flags, options);
    if (diagnosis.findings.some(({ severity }) => severity === 'fatal')) process.exitCode = 1;
  });
}

/** Of what runs; its exit code says whether an item fails. */
async function printCis(command: Command, { json, output }: Flags, { known }: DoctorOptions): Promise<void> {
  const { dataDir } = loadSettings({ command, schema: AgentConfig, known, env: process.env }).config;
  const running = await askStatus(runPaths.statusSocket).catch(() => undefined);
  const results = examineCis(await cisHost(pathsOf(running?.dataDir ?? dataDir)));
  print(json === true || output === 'json' ? JSON.stringify(results, null, 2) : cisText(results));
  if (results.some(({ state }) => state === 'fail')) process.exitCode = 1;
}

/** As the mode's own command would read them. */
function startOf(mode: HostOptions['mode'] | undefined, flags: readonly string[], options: DoctorOptions): Command {
  const schema = mode === 'agent' ? AgentConfig : options.serverSchema;
  const command = addSettings(new Command('doctor').allowExcessArguments(false), schema).addOption(configFileOption());
  return command.exitOverride().parse(flags, { from: 'user' });
}

async function run(
  command: Command,
  mode: HostOptions['mode'] | undefined,
  flags: Flags,
  { serverPlan, known }: DoctorOptions,
): Promise<Diagnosis> {
  const agent = loadSettings({ command, schema: AgentConfig, known, env: process.env }).config;
  const isAgent = mode === 'agent' || (mode === undefined && (flags.from ?? agent.url ?? agent.server) !== undefined);
  const paths = pathsOf(agent.dataDir);
  const path = flags.from === undefined ? undefined : await pathTo(flags.from, agent, paths);
  const plan = isAgent
    ? { ...agentPlan(agent), ...cluster(agent, path, paths), ...(path && { serverUrl: path.url }) }
    : serverPlan(command);
  const running = await askStatus(runPaths.statusSocket).catch(mute);
  const isThisOne = running?.dataDir === undefined || running.dataDir === paths.dataDir;
  const host = examinedHost(await doctorPlan(plan), isThisOne ? running : undefined);
  const repairs = flags.fix === true ? await repair(host, openUndoLog(paths.undoLog)) : [];
  const diagnosis = merged([await examine(host), ...(path === undefined ? [] : [await examinePath(path)])]);
  const isJson = flags.json === true || flags.output === 'json';
  if (isJson) print(diagnosisJson(diagnosis, repairs));
  else if (flags.quiet === true) printLines(whatToDo(diagnosis, repairs));
  else print(diagnosisText(diagnosis, repairs, { checks: allChecks, isVerbose: flags.verbose === true }));
  return diagnosis;
}

/** A kagent that runs and does not answer; undefined where none runs. */
function mute(error: unknown): (Running & { readonly dataDir?: undefined }) | undefined {
  if (!(error instanceof NoAnswerError)) return undefined;
  const { message, remedy } = error;
  const lastTransitionTime = rfc3339(Date.now());
  const condition = { status: 'False', reason: 'NoAnswer', message, lastTransitionTime, remedy } as const;
  return { isStarted: true, isReady: false, components: [{ name: 'kagent', condition, restarts: 0 }] };
}

function printLines(lines: readonly string[]): void {
  for (const line of lines) print(line);
}

async function pathTo(url: string, agent: AgentConfig, paths: Paths): Promise<ServerPath> {
  const token = secretSetting(agent.token, agent.tokenFile); // flags are among the settings
  return await walkToServer({ url, token, paths }, new AbortController().signal);
}

/** What an agent hears when it joins: from the server, from an earlier join, or as it usually is. */
function cluster(
  agent: AgentConfig,
  path: ServerPath | undefined,
  paths: Paths,
): Pick<HostOptions, 'flannelBackend' | 'clusterCidr' | 'serviceCidr'> {
  const { clusterCidr, serviceCidr } = agentPlan(agent);
  const usual = { clusterCidr, serviceCidr, flannelBackend: agent.flannelBackend ?? ('vxlan' as const) };
  const told = path?.met?.opened.settings ?? joinedSettings(paths);
  return { ...usual, ...told };
}
