/** `kagent token …`: what joins. Names and flags as in k3s; the server on this box does the work. */
import { Command, Option } from 'commander';
import * as z from 'zod';
import { duration, jsonOption, print, SecretOption, table } from '../cli/cli.ts';
import { rfc3339, systemClock } from '../shared/clock.ts';
import { askServer } from '../host/daemon/daemon.ts';
import { runPaths } from '../shared/paths.ts';
import { Rotated, TokenCreated, TokenList } from '../shared/protocol/local.ts';
import { joinLine } from './release/release.ts';
import { supervisorUrl } from '../shared/supervisor-url.ts';
import { bareSecret, newBootstrapSecret, parseToken } from '../shared/token/token.ts';

const day = { ms: 24 * 60 * 60 * 1000, text: '24h' };
/** A line that is typed is seen by more than who types it. */
const hour = { ms: 60 * 60 * 1000, text: '1h' };

interface NewTokenFlags {
  readonly ttl: number;
  readonly description: string;
  readonly role: 'agent' | 'server';
  readonly node?: string;
  readonly output?: string;
}

export function tokenCommand(): Command {
  const token = new Command('token').description('Manage join tokens');
  for (const command of [create(), list(), remove(), rotate(), generate(), joinCommand()]) token.addCommand(command);
  return token;
}

function create(): Command {
  return withNewToken(new Command('create').description('Create a token and print it; it is shown only once'), day)
    .argument('[token]', "a token from 'kagent token generate' (made here unless given)")
    .addOption(jsonOption())
    .action(async (given: string | undefined, flags: NewTokenFlags) => {
      const { names: _, ...made } = await createToken(flags, given);
      print(flags.output === 'json' ? JSON.stringify(made, null, 2) : made.text);
    });
}

function joinCommand(): Command {
  return withNewToken(
    new Command('join-command').description('Create a token and print the command to run on the box that joins'),
    hour,
  )
    .option('--installed', 'for a box on which kagent is installed already', false)
    .option('--url <url>', "the server's name or address as that box knows it, with or without a port")
    .addOption(jsonOption())
    .action(async (flags: NewTokenFlags & { readonly installed: boolean; readonly url?: string }) => {
      if (flags.url !== undefined) supervisorUrl(flags.url); // before a token is made
      const { names, ...made } = await createToken(flags, undefined);
      const joinUrl = flags.url === undefined ? made.joinUrl : supervisorUrl(flags.url, new URL(made.joinUrl).port);
      warnIfNotNamed(joinUrl, names);
      const command = `kagent agent --url ${joinUrl} --token ${made.text}`;
      const installation = joinLine({ url: joinUrl, token: made.text });
      if (flags.output === 'json') return print(JSON.stringify({ ...made, joinUrl, command, installation }, null, 2));
      print(flags.installed ? command : installation);
    });
}

/** The line is printed all the same: a server that is started anew may name it. */
function warnIfNotNamed(url: string, names: readonly string[]): void {
  const host = new URL(url).hostname.replaceAll(/[[\]]/g, '');
  if (names.some((name) => name.toLowerCase() === host)) return;
  process.stderr.write(
    `the server's certificate does not name ${host}, so no node can join by that name: start the server with --tls-san ${host}\n`,
  );
}

function withNewToken(command: Command, ttl: { readonly ms: number; readonly text: string }): Command {
  return command
    .addOption(
      new Option('--ttl <time>', 'how long it may be used; 0: until deleted')
        .default(ttl.ms, ttl.text)
        .argParser(lifetime),
    )
    .option('--description <text>', 'what it is for', '')
    .addOption(new Option('--role <role>', 'what may join with it').choices(['agent', 'server']).default('agent'))
    .option('--node <name>', 'the only node that may join with it, even if another machine had that name');
}

/** @returns milliseconds */
function lifetime(text: string): number {
  return text === '0' ? 0 : duration(text);
}

async function createToken({ ttl, description, role, node }: NewTokenFlags, given: string | undefined) {
  const secret = given === undefined ? {} : { secret: parseToken(given).secret.reveal() };
  const body = { role, description, ttlMs: ttl, ...(node !== undefined && { nodeName: node }), ...secret };
  return await askServer(runPaths.statusSocket, { method: 'POST', path: '/v1/tokens', body }, TokenCreated);
}

function list(): Command {
  return new Command('list')
    .alias('ls')
    .description('List the tokens, without their secrets')
    .addOption(jsonOption())
    .action(async ({ output }: { readonly output?: string }) => {
      const { tokens } = await askServer(runPaths.statusSocket, { method: 'GET', path: '/v1/tokens' }, TokenList);
      if (output === 'json') return print(JSON.stringify({ tokens }, null, 2));
      const rows = tokens.map((one) => [
        one.id,
        one.role,
        one.nodeName ?? '',
        untilText(one.expiresAt),
        one.description,
      ]);
      print(table([['ID', 'ROLE', 'NODE', 'EXPIRES', 'DESCRIPTION'], ...rows]));
    });
}

function untilText(expiresAt: string | undefined): string {
  if (expiresAt === undefined) return 'never';
  return expiresAt <= rfc3339(systemClock.now()) ? `expired ${expiresAt}` : expiresAt;
}

function remove(): Command {
  return new Command('delete')
    .alias('rm')
    .description('Delete tokens; nodes that joined with them stay')
    .argument('<id...>', "the part before the dot, as 'kagent token list' shows it")
    .action(async (ids: readonly string[]) => {
      for (const text of ids) {
        const [id = ''] = bareSecret(parseToken(text).secret).reveal().split('.', 1);
        await askServer(
          runPaths.statusSocket,
          { method: 'DELETE', path: `/v1/tokens/${encodeURIComponent(id)}` },
          z.unknown(),
        );
        print(`${id} deleted`);
      }
    });
}

function rotate(): Command {
  return new Command('rotate')
    .description('Replace the server token or the agent token; nodes that have joined stay')
    .addOption(new SecretOption('-t, --token <token>', 'the current token').makeOptionMandatory())
    .addOption(new SecretOption('--new-token <token>', 'the new token (made here unless given)'))
    .action(async ({ token, newToken }: { readonly token: string; readonly newToken?: string }) => {
      const body = { old: token, ...(newToken !== undefined && { next: newToken }) };
      const asked = { method: 'POST', path: '/v1/token-rotation', body } as const;
      const { text } = await askServer(runPaths.statusSocket, asked, Rotated);
      print(text);
      process.stderr.write(
        'where --token or KAGENT_TOKEN is set on a server, set it to this one before its next start\n',
      );
    });
}

function generate(): Command {
  return new Command('generate')
    .description("Print a random token for 'kagent token create'; nothing is stored")
    .action(() => print(newBootstrapSecret().reveal()));
}
