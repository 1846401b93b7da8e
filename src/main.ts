/**
 * @module
 * argv → command → exit code. Composes server and agent; the only file that knows both.
 * Exit codes: 0 done, 1 failed, 2 wrong usage, 3 this node was removed from its cluster.
 */
import { basename } from 'node:path';
import { Command } from 'commander';
import * as z from 'zod';
import { hostNotes, kubeletPort, openHost } from './agent/open-host.ts';
import type { HostOptions } from './agent/open-host.ts';
import { agentCommand, removeCommands } from './agent/commands.ts';
import { AgentConfig, nodeSettings } from './agent/config.ts';
import { hostAddresses, hostRoot } from './host/checks/checks.ts';
import { doctorCommand } from './agent/doctor-command.ts';
import { labCommand } from './lab/lab.ts';
import { serverCommands } from './server/commands.ts';
import { serverSettings } from './server/config.ts';
import { checkBindAddress, checkNetworks } from './server/cluster/cluster.ts';
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
} from './cli/cli.ts';
import { KagentError, sentenceOf, systemCode } from './shared/errors.ts';
import { etcdPorts } from './shared/etcd-member.ts';
import { failedExitCode } from './shared/exit-codes.ts';
import { noteOfFile } from './host/undo-log/undo-log.ts';
import { silentLog } from './shared/log/log.ts';
import { plainText } from './shared/plain-text/plain-text.ts';
import { addExamples, manCommand } from './cli/manual/manual.ts';
import { createNotifier, giveUp, hostAt, journalPrefix } from './host/service/service.ts';
import { supportCommand } from './support/support.ts';

/** Else it writes and compiles a program for each schema, which pays where much is read, and is half a megabyte where little is. */
z.config({ jitless: true });

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

/** What of its server a server's own node waits for. */
const ownNodeAfter = {
  containerd: ['assets-containerd'],
  assets: ['assets'],
  server: ['supervisor-api'],
  apiserver: ['kube-apiserver'],
} as const;

async function runServer(config: ServerConfig): Promise<void> {
  checkNetworks({ ...config, nodeIp: config.nodeIp });
  // Loaded here alone: other commands have no use for them, and start in half the time without.
  const [{ createServer }, { createAgent }] = await Promise.all([
    import('./server/server.ts'),
    import('./agent/agent.ts'),
  ]);
  const host = await openHost(serverPlan(config));
  const runsNode = !config.disableAgent;
  const { facts, daemon, foreground } = host;
  checkNetworks({ ...config, nodeIp: facts.nodeIp });
  checkBindAddress(config.bindAddress);
  host.undoLog.record(...noteOfFile(config.writeKubeconfig));
  const server = await createServer({
    ...host,
    config,
    isHardened: config.profile === 'cis',
    token: secretSetting(config.token, config.tokenFile),
    agentToken: secretSetting(config.agentToken, config.agentTokenFile),
    supervisor: daemon.supervisor,
    events: daemon.events,
    image: host.image,
    log: foreground.log,
    nodeName: facts.nodeName,
    nodeIp: facts.nodeIp,
    addresses: () => hostAddresses(hostRoot()).map(({ nodeIp }) => nodeIp),
    after: { kubernetes: ['assets-kubernetes'] },
    signal: foreground.signal,
    onFatal: daemon.fail,
  });
  const node = runsNode
    ? createAgent({
        ...host,
        config,
        supervisor: daemon.supervisor,
        events: daemon.events,
        notReady: daemon.notReady,
        restart: daemon.restart,
        log: foreground.log,
        setLogLevel: (level) => foreground.log.setLevel(level),
        onFatal: daemon.fail,
        server: {
          url: server.local.supervisorUrl,
          apiserverUrl: server.local.apiserverUrl,
          token: server.ownNodeToken,
          isOwnServer: true,
        },
        settings: server.settings,
        after: ownNodeAfter,
      })
    : [];
  const notes = () => [...hostNotes(facts, config), ...server.notes()];
  await daemon.run([...host.assets, ...server.components, ...node], {
    signal: foreground.signal,
    onProgress: foreground.onProgress,
    onReady: () => foreground.say(readyScreen(facts.nodeName, notes())),
    notes,
    localRequests: server.localRequests,
  });
}

/** Of this server's member, for its own programs and other servers. */
const portsOfMember = [
  { port: etcdPorts.client, purpose: 'etcd' },
  { port: etcdPorts.peer, purpose: 'etcd, for other servers' },
] as const;

/** What a server needs of its box. */
function serverPlan(config: ServerConfig): HostOptions {
  const runsNode = !config.disableAgent;
  return {
    mode: 'server',
    config,
    ports: [
      { port: config.httpsListenPort, purpose: 'kube-apiserver', address: config.bindAddress },
      { port: config.supervisorPort, purpose: 'the supervisor', address: config.bindAddress },
      ...(config.clusterInit || (config.server !== undefined && config.datastoreEndpoint === undefined)
        ? portsOfMember
        : []),
      ...(runsNode ? [kubeletPort] : []),
    ],
    runsNode,
    flannelBackend: config.flannelBackend,
    clusterCidr: config.clusterCidr,
    serviceCidr: config.serviceCidr,
  };
}

function readyScreen(nodeName: string, all: readonly string[]): string {
  const notes = all.map((note) => `\n${note}\n`).join('');
  return `kagent is ready after ${process.uptime().toFixed(1)} s: ${nodeName} runs a cluster.

  kagent kubectl get nodes      the nodes of the cluster
  kagent status                 the state of kagent

  kagent token join-command     add another host: prints the command to run there
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

/** As they were given. From here on no other process can read the secrets among them, and no `NODE_*` variable is set. */
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
    const sentence = sentenceOf(error);
    if (sentence !== undefined) {
      say(sentence);
      await tellStarter(sentence);
      return failedExitCode;
    }
    if (!(error instanceof KagentError)) throw error; // a mistake in kagent: its stack is what helps
    say(error.message);
    await tellStarter(error.message);
    return error.exitCode;
  }
}

/**
 * `kagent … | head -1`: whoever read has had enough. What a command does is done all the same, to its end. What cannot be
 * said at all, as a log on a disk that is full, is no reason to end either.
 */
function letReadersGo(): void {
  process.stderr.on('error', () => {});
  process.stdout.on('error', (error) => {
    if (systemCode(error) !== 'EPIPE') throw error;
  });
}

async function run(): Promise<void> {
  letReadersGo();
  const exitCode = await main();
  const lastWords = await giveUp(exitCode, process.env, hostAt('/'));
  if (lastWords !== undefined) say(lastWords);
  process.exitCode = exitCode;
}

void run();
