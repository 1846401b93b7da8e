/** `kagent node …`: the cluster's boxes as kagent sees them. The server on this box does the work. */
import { Argument, Command } from 'commander';
import * as z from 'zod';
import { age, becomeBundledTool, jsonOption, mebibytes, print, table } from '../cli/cli.ts';
import { askServer } from '../host/daemon/daemon.ts';
import { runPaths } from '../shared/paths.ts';
import type { Command as NodeCommand } from '../shared/protocol/channel.ts';
import { CommandOutput, NodeDetails, NodeList } from '../shared/protocol/local.ts';
import type { NodeSummary } from '../shared/protocol/local.ts';

const commandTimeoutMs = 35_000;

export function nodeCommand(): Command {
  const node = new Command('node').description('Manage the nodes of the cluster').enablePositionalOptions();
  for (const command of [list(), show(), remove(), drain(), logs(), restart(), logLevel()]) node.addCommand(command);
  return node;
}

function list(): Command {
  return new Command('ls')
    .alias('list')
    .description('List the nodes: status, connection, version')
    .addOption(jsonOption())
    .action(async ({ output }: { readonly output?: string }) => {
      const { nodes } = await askServer(runPaths.statusSocket, { method: 'GET', path: '/v1/nodes' }, NodeList);
      if (output === 'json') return print(JSON.stringify({ nodes }, null, 2));
      const rows = nodes.map((one) => [
        one.name,
        statusOf(one),
        one.connected
          ? `for ${ageOf(one.connectedSince)}`
          : `no, seen ${one.lastSeen === undefined ? 'never' : `${ageOf(one.lastSeen)} ago`}`,
        one.internalIp ?? '-',
        one.kubernetesVersion ?? '-',
        one.version ?? '-',
        one.componentsDown.join(', ') || '-',
      ]);
      print(table([['NAME', 'STATUS', 'CONNECTED', 'ADDRESS', 'KUBERNETES', 'KAGENT', 'DOWN'], ...rows]));
    });
}

function statusOf({ status, schedulable }: NodeSummary): string {
  return schedulable ? status : `${status},SchedulingDisabled`;
}

function ageOf(time: string | undefined): string {
  return time === undefined ? '-' : age(Date.now() - Date.parse(time));
}

function show(): Command {
  return new Command('show')
    .description('Show the details of a node')
    .argument('<name>')
    .addOption(jsonOption())
    .action(async (name: string, { output }: { readonly output?: string }) => {
      const node = await askServer(runPaths.statusSocket, { method: 'GET', path: pathOf(name) }, NodeDetails);
      print(output === 'json' ? JSON.stringify(node, null, 2) : detailsText(node));
    });
}

function detailsText(node: NodeDetails): string {
  const { facts, beat: heartbeat } = node;
  const lines = [
    ['Name', node.name],
    ['Status', statusOf(node)],
    [
      'Connected',
      node.connected
        ? `for ${ageOf(node.connectedSince)}, connection ${node.session}`
        : `no, last seen ${ageOf(node.lastSeen)} ago`,
    ],
    ['Address', [node.internalIp, node.externalIp].filter((one) => one !== undefined).join(', ')],
    ['Versions', `kagent ${node.version ?? '-'}, Kubernetes ${node.kubernetesVersion ?? '-'}`],
    ...(facts === undefined
      ? []
      : [
          [
            'Box',
            `${facts.os}, kernel ${facts.kernel}, ${facts.arch}, ${facts.cpus} CPUs, ${mebibytes(facts.memoryBytes)}`,
          ],
        ]),
    ...(heartbeat === undefined
      ? []
      : [
          [
            'Memory',
            `${mebibytes(heartbeat.memory.availableBytes)} available of ${mebibytes(heartbeat.memory.totalBytes)}`,
          ],
          [
            'Disk',
            `${mebibytes(heartbeat.disk.freeBytes)} free of ${mebibytes(heartbeat.disk.sizeBytes)} at ${heartbeat.disk.path}`,
          ],
          ['Load', `${heartbeat.load1.toFixed(2)}, up ${age(heartbeat.uptimeSeconds * 1000)}`],
          [
            'Clock',
            heartbeat.clockSkewMs === undefined ? 'not measured yet' : `${heartbeat.clockSkewMs} ms from the server's`,
          ],
        ]),
  ];
  const conditions = node.conditions.map(({ type, status, reason, message }) => [type, status, reason, message]);
  const children =
    heartbeat?.children.map((one) => [one.name, one.state, String(one.restarts), one.lastExit ?? '']) ?? [];
  const certificates = heartbeat?.certificates.map((one) => [one.name, one.notAfter]) ?? [];
  const history = node.history.map((one) => [
    one.from,
    String(one.beats),
    String(one.connections),
    String(one.restarts),
    `${one.maxSkewMs} ms`,
    one.maxLoad1.toFixed(2),
  ]);
  return [
    table(lines.map(([key = '', value = '']) => [`${key}:`, value])),
    table([['CONDITION', 'STATUS', 'REASON', 'MESSAGE'], ...conditions]),
    table([['COMPONENT', 'STATE', 'RESTARTS', 'LAST'], ...children]),
    table([['CERTIFICATE', 'EXPIRES'], ...certificates]),
    table([['QUARTER', 'HEARTBEATS', 'CONNECTIONS', 'RESTARTS', 'SKEW', 'LOAD'], ...history]),
  ].join('\n\n');
}

function remove(): Command {
  return new Command('rm')
    .alias('delete')
    .description('Remove a node from the cluster: its agent stops, its name is free')
    .argument('<name>')
    .option('--force', 'even if it is Ready and has pods', false)
    .action(async (name: string, { force }: { readonly force: boolean }) => {
      const asked = { method: 'DELETE', path: `${pathOf(name)}?force=${force}`, timeoutMs: commandTimeoutMs } as const;
      await askServer(runPaths.statusSocket, asked, z.unknown());
      print(`${name} removed`);
    });
}

/** kubectl's own: it knows disruption budgets. */
function drain(): Command {
  return new Command('drain')
    .description("Cordon a node and evict its pods; takes kubectl drain's flags")
    .argument('<name>')
    .argument('[flags...]')
    .allowUnknownOption()
    .passThroughOptions()
    .action(async (name: string, flags: readonly string[]) => {
      await becomeBundledTool('kubectl', ['drain', name, '--ignore-daemonsets', '--delete-emptydir-data', ...flags]);
    });
}

function logs(): Command {
  return new Command('logs')
    .description("Print the latest logs of a node's components")
    .argument('<name>')
    .argument('[component]', 'only this one, such as kubelet')
    .option('--tail <lines>', 'how many lines of each', Number, 100)
    .action(async (name: string, component: string | undefined, { tail }: { readonly tail: number }) => {
      const only = component === undefined ? {} : { component };
      print((await ask(name, { kind: 'logs', lines: tail, ...only })).replace(/\n$/, ''));
    });
}

function restart(): Command {
  return new Command('restart')
    .description('Restart a component of a node; pods keep running')
    .argument('<name>')
    .argument('<component>', 'such as kubelet')
    .action(async (name: string, component: string) => print(await ask(name, { kind: 'restart', component })));
}

function logLevel(): Command {
  return new Command('log-level')
    .description("Set the log level of a node's kagent until its next start")
    .argument('<name>')
    .addArgument(new Argument('<level>').choices(['debug', 'info', 'warn', 'error']))
    .action(async (name: string, level: 'debug' | 'info' | 'warn' | 'error') =>
      print(await ask(name, { kind: 'log-level', level })),
    );
}

async function ask(name: string, command: NodeCommand): Promise<string> {
  const asked = {
    method: 'POST',
    path: `${pathOf(name)}/command`,
    body: { command },
    timeoutMs: commandTimeoutMs,
  } as const;
  return (await askServer(runPaths.statusSocket, asked, CommandOutput)).text;
}

function pathOf(name: string): string {
  return `/v1/nodes/${encodeURIComponent(name)}`;
}
