import { Argument, Command } from 'commander';
import { bundlePath, openBundle, toolFolder } from '../host/assets/assets.ts';
import type { Bundle } from '../host/assets/assets.ts';
import { heldUpBy } from '../shared/component/component.ts';
import { askStatus, hasStarted, isAllReady, NoAnswerError } from '../host/daemon/daemon.ts';
import { adminKubeconfig, pathsOf, runPaths } from '../shared/paths.ts';
import { serviceCommand } from '../host/service/service.ts';
import type { Readiness } from '../host/service/service.ts';
import { version } from '../shared/version/version.ts';
import { settingsOfHost } from './host-settings.ts';
import { completionScript, shells } from './completion.ts';
import type { Shell } from './completion.ts';
import { print } from './options.ts';
import { secretFlagsOf } from './secret-flags.ts';
import { progressText } from './progress.ts';
import { becomeTool, passedThrough } from './passthrough.ts';
import type { PassedThrough } from './passthrough.ts';
import { statusText } from './status.ts';
import { table } from './table.ts';

/** The commands that are the same on servers and agents. */
export function commonCommands(program: Command): readonly Command[] {
  return [
    statusCommand(),
    ...passedThrough.map(toolCommand),
    serviceCommand({
      executable: process.execPath,
      env: process.env,
      secretFlags: () => secretFlagsOf(program),
      readiness,
      print,
      signal: new AbortController().signal,
    }),
    versionCommand(),
    completionCommand(program),
  ];
}

/** What a service manager that cannot wait itself asks for. */
async function readiness(): Promise<Readiness> {
  const status = await askStatus(runPaths.statusSocket).catch((error: unknown) =>
    error instanceof NoAnswerError ? error.message : 'kagent is not up yet',
  );
  if (typeof status === 'string') return { ready: false, text: status, unknown: [] };
  const { components } = status;
  const ready = components.filter(({ readyAtMs }) => readyAtMs !== undefined);
  const starting = components.filter((one) => one.startedAtMs !== undefined && !ready.includes(one));
  const isStarted = hasStarted(status);
  const names = (some: typeof components) => some.map(({ name }) => name);
  return {
    ready: isStarted,
    unknown: isStarted ? names(components.filter(({ condition }) => condition.status === 'Unknown')) : [],
    text: progressText({
      ready: names(ready),
      starting: names(starting),
      total: components.length,
      heldUpBy: heldUpBy(
        starting.map(({ name, condition }) => ({ name, condition, wasReady: false })),
        Date.now(),
      ),
    }),
  };
}

function statusCommand(): Command {
  return new Command('status')
    .description(
      'Show the running kagent: components, processes, recent events; exit code 0 only if all is ready, else 1',
    )
    .option('-o, --output <form>', "'json' for programs")
    .action(async ({ output }: { readonly output?: string }) => {
      const status = await askStatus(runPaths.statusSocket);
      print(output === 'json' ? JSON.stringify(status, null, 2) : statusText(status, Date.now()).trimEnd());
      process.exitCode = isAllReady(status) ? 0 : 1;
    });
}

/** `kagent kubectl …`: all that follows belongs to the tool. */
function toolCommand(tool: PassedThrough): Command {
  return new Command(tool)
    .description(`The bundled ${tool}, set up for this box`)
    .allowUnknownOption()
    .helpOption(false)
    .argument('[args...]')
    .passThroughOptions()
    .action(async (args: readonly string[]) => {
      await becomeBundledTool(tool, args);
    });
}

/** Never returns. */
export async function becomeBundledTool(tool: PassedThrough, args: readonly string[]): Promise<never> {
  const box = await settingsOfHost();
  const kubeconfig = box.said('write-kubeconfig') ?? adminKubeconfig;
  const { tls } = pathsOf(box.dataDir).server;
  return becomeTool(tool, args, { binDir: await toolFolder(tool, box, process.env), kubeconfig, tlsDir: tls });
}

function completionCommand(program: Command): Command {
  return new Command('completion')
    .description("Print a shell's completion script: source <(kagent completion bash)")
    .addArgument(new Argument('<shell>').choices(shells))
    .action((shell: Shell) => void process.stdout.write(completionScript(program, shell)));
}

function versionCommand(): Command {
  return new Command('version').description('Show the version of kagent and of every component').action(async () => {
    process.stdout.write(await versionText());
  });
}

/** Ours and every component's. A slim executable has none of its own to tell of. */
export async function versionText(): Promise<string> {
  const bundle = await openBundle(bundlePath(undefined, process.env)).catch((): Bundle | undefined => undefined);
  const components = bundle?.manifest.components ?? [];
  return `kagent ${version}\n${table([['node', process.version], ...components.map((one) => [one.name, one.version])])}\n`;
}
