/**
 * @module
 * argv → command → exit code. Composes server and agent; the only file that knows both.
 * Exit codes: 0 done, 1 failed, 2 wrong usage, 3 this node was removed from its cluster.
 */
import { basename } from 'node:path';
import { Command } from 'commander';
import * as z from 'zod';
import { addressNotes, kubeletPort, openBox, type BoxOptions } from './agent/box.ts';
import { agentCommand, removeCommands } from './agent/commands.ts';
import { AgentConfig, nodeSettings } from './agent/config.ts';
import { hostAddresses, hostRoot, type HostFacts } from './agent/host/host.ts';
import { doctorCommand } from './agent/doctor-command.ts';
import { labCommand } from './lab/lab.ts';
import { serverCommands } from './server/commands.ts';
import { serverSettings } from './server/config.ts';
import { checkNetworks } from './server/networks.ts';
import type { Server } from './server/server.ts';
import {
  becomeClean,
  commonCommands,
  configCommand,
  passedThrough,
  loadSettings,
  secretFlagsOf,
  secretSetting,
  settingsCommand,
  usageExitCode,
  versionText,
} from './shared/cli/cli.ts';
import { isDiskError, KagentError, messageOf, systemCode } from './shared/errors.ts';
import { noteOfFile } from './shared/journal/journal.ts';
import { silentLog } from './shared/log/log.ts';
import { plainText } from './shared/plain-text/plain-text.ts';
import { addExamples, manCommand } from './shared/manual/manual.ts';
import {
  createNotifier,
  giveUp,
  hostAt,
  journalPrefix,
  removedExitCode,
  wrongUsageExitCode,
} from './shared/service/service.ts';
import { supportCommand } from './support/support.ts';

/** A server's own settings and those of the node it runs. */
const ServerConfig = z.strictObject({ ...serverSettings, ...nodeSettings });
type ServerConfig = Readonly<z.infer<typeof ServerConfig>>;

/** Both modes read one config.yaml: a key of the other mode is no mistake. */
const known = [ServerConfig, AgentConfig];

function program(): Command {
  const kagent = new Command('kagent')
    .description('Kubernetes for this box and the boxes that join it')
    .enablePositionalOptions()
    .showSuggestionAfterError();
  const server = settingsCommand({
    name: 'server',
    description: 'Run a cluster on this box: control plane, datastore and a node of its own',
    schema: ServerConfig,
    known,
    run: runServer,
  });
  const all = [
    server,
    agentCommand(known),
    ...serverCommands(),
    configCommand([
      { name: 'server', schema: ServerConfig },
      { name: 'agent', schema: AgentConfig },
    ]),
    supportCommand(),
    doctorCommand({
      known,
      serverSchema: ServerConfig,
      serverPlan: (command) =>
        serverPlan(loadSettings({ command, schema: ServerConfig, known, env: process.env }).config),
    }),
    labCommand(),
    ...removeCommands(),
    ...commonCommands(kagent),
    manCommand(kagent),
  ];
  for (const command of all) kagent.addCommand(command);
  addExamples(kagent);
  return exiting(kagent);
}

/** Wrong usage is thrown, at every depth, so that this file alone decides about exit codes. */
function exiting(command: Command): Command {
  for (const child of command.commands) exiting(child);
  return command.exitOverride().configureOutput({ outputError: (text, write) => write(oneSentence(text)) });
}

/** commander's `error: unknown option '--nam'` and its suggestion on the line after. */
function oneSentence(text: string): string {
  return `kagent: ${text
    .replace(/^error: /, '')
    .trim()
    .replaceAll(/\s*\n\s*/g, ' ')}\n`;
}

async function runServer(config: ServerConfig): Promise<void> {
  checkNetworks({ ...config, nodeIp: config.nodeIp });
  // Loaded here alone: other commands have no use for them, and start in half the time without.
  const [{ createServer }, { createAgent }] = await Promise.all([
    import('./server/server.ts'),
    import('./agent/agent.ts'),
  ]);
  const box = await openBox(serverPlan(config));
  const runsNode = !config.disableAgent;
  const { facts, daemon, foreground } = box;
  checkNetworks({ ...config, nodeIp: facts.nodeIp });
  box.journal.record(...noteOfFile(config.writeKubeconfig));
  const server = await createServer({
    ...box,
    config,
    isHardened: config.profile === 'cis',
    token: secretSetting(config.token, config.tokenFile),
    agentToken: secretSetting(config.agentToken, config.agentTokenFile),
    supervisor: daemon.supervisor,
    events: daemon.events,
    corednsImage: () => box.image('coredns'),
    log: foreground.log,
    nodeName: facts.nodeName,
    nodeIp: facts.nodeIp,
    addresses: () => hostAddresses(hostRoot()).map(({ nodeIp }) => nodeIp),
    after: { assets: ['assets'] },
    onFatal: daemon.fail,
  });
  const node = runsNode
    ? createAgent({
        ...box,
        config,
        supervisor: daemon.supervisor,
        events: daemon.events,
        log: foreground.log,
        setLogLevel: (level) => foreground.log.setLevel(level),
        onFatal: daemon.fail,
        server: { url: `https://127.0.0.1:${config.supervisorPort}`, token: server.ownNodeToken, isOwnServer: true },
        settings: server.settings,
        after: { assets: ['assets'], server: ['supervisor-api'], apiserver: ['kube-apiserver'] },
      })
    : [];
  await daemon.run([box.assets, ...server.components, ...node], {
    signal: foreground.signal,
    onProgress: foreground.onProgress,
    onReady: () => foreground.say(readyScreen(server, facts)),
    notes: () => [...addressNotes(facts), ...server.notes()],
    localRequests: server.localRequests,
  });
}

/** What a server needs of its box. */
function serverPlan(config: ServerConfig): BoxOptions {
  const runsNode = !config.disableAgent;
  return {
    mode: 'server',
    config,
    ports: [
      { port: config.httpsListenPort, purpose: 'kube-apiserver' },
      { port: config.supervisorPort, purpose: 'the supervisor' },
      ...(runsNode ? [kubeletPort] : []),
    ],
    runsNode,
    flannelBackend: config.flannelBackend,
    clusterCidr: config.clusterCidr,
    serviceCidr: config.serviceCidr,
  };
}

function readyScreen(server: Server, facts: HostFacts): string {
  const { nodeName } = facts;
  const notes = [...addressNotes(facts), ...server.notes()].map((note) => `\n${note}\n`).join('');
  return `kagent is ready after ${process.uptime().toFixed(1)} s: ${nodeName} runs a cluster.

  kagent kubectl get nodes      look at the cluster
  kagent status                 look at kagent

  kagent token join-command     make another box join: prints the line to type there
${notes}
`;
}

/** Whoever waits for this start, a `--daemonize` or a service manager, hears why it failed. */
async function tellStarter(message: string): Promise<void> {
  const notifier = createNotifier(process.env, silentLog);
  notifier.failed(message);
  await notifier.flush();
}

/** Called by the name of a tool, through one of the installer's links, it is that tool. */
function calledAs(argv0: string): readonly string[] {
  return passedThrough.filter((tool) => tool === basename(argv0));
}

/** The last words, for whoever reads them: a person, or a service's log. */
function say(message: string): void {
  process.stderr.write(`${journalPrefix('error')}kagent: ${plainText(message)}\n`);
}

/** As they were given; a secret among them is seen by nobody else from here on, and nothing of this process is set for Node. */
function argumentsOf(kagent: Command): readonly string[] {
  const argv = [...calledAs(process.argv0), ...process.argv.slice(2)];
  const isTool = passedThrough.some((tool) => tool === argv[0]); // becomes that tool, with the tool's arguments
  return isTool ? argv : becomeClean(argv, secretFlagsOf(kagent), process.env);
}

async function main(): Promise<number> {
  try {
    const kagent = program();
    const argv = argumentsOf(kagent);
    if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-v')) process.stdout.write(await versionText());
    else await kagent.parseAsync(argv, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    const usage = usageExitCode(error); // commander has said it already
    if (usage !== undefined) return usage;
    if (error instanceof Error && error.name === 'AbortError') return 0; // SIGTERM came before anything had begun
    if (!(error instanceof KagentError || isDiskError(error))) throw error; // a mistake in kagent: its stack is what helps
    const message = messageOf(error);
    say(message);
    await tellStarter(message);
    if (!(error instanceof KagentError)) return 1;
    if (error.code === 'NODE_REMOVED') return removedExitCode;
    return error.code.startsWith('CONFIG_') ? wrongUsageExitCode : 1;
  }
}

/** `kagent … | head -1`: whoever read has had enough. What a command does is done all the same, to its end. */
function letReadersGo(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error) => {
      if (systemCode(error) !== 'EPIPE') throw error;
    });
  }
}

letReadersGo();
const exitCode = await main();
const lastWords = await giveUp(exitCode, process.env, hostAt('/'));
if (lastWords !== undefined) say(lastWords);
process.exitCode = exitCode;
