/**
 * kagent's datastore beside etcd and kine: `node bench/datastore/datastore.ts`; needs Go and a C compiler, no root.
 *
 *   --rounds 3                 medians of so many
 *   --seconds 2                for each measurement
 *   --servers kagent,etcd,kine the first is held against the others; also kagent-file (dist/kagent) and kine-full
 *   --only create,memory,…     some measures alone
 *   --clients 1,10,50,200      how many requests are under way at once
 *   --unix                     over unix sockets instead of loopback
 *   --dir /var/tmp             a folder on the disk that is measured
 *   --cpu-prof DIR             a profile of each of kagent's threads
 *   --docs                     the result becomes docs/datastore-performance.md
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf } from '../../src/shared/errors.ts';
import { buildGoProgram } from '../../test/helpers/go.ts';
import { describeMachine } from './machine.ts';
import { tables } from './report.ts';
import { measureAll, measures } from './rounds.ts';
import { nodeFlags, servers } from './servers.ts';
import type { Sample } from './summary.ts';

const repository = resolve(import.meta.dirname, '../..');
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '2' },
    servers: { type: 'string', default: 'kagent,etcd,kine' },
    only: { type: 'string' },
    clients: { type: 'string', default: '1,10,50,200' },
    unix: { type: 'boolean', default: false },
    dir: { type: 'string', default: '/var/tmp' },
    'cpu-prof': { type: 'string' },
    docs: { type: 'boolean', default: false },
  },
});
const only = values.only?.split(',');
const unknown = only?.find((measure) => !measures.includes(measure));
if (unknown !== undefined) throw new Error(`no measure is called ${unknown}; there are ${measures.join(', ')}`);
const chosen = values.servers.split(',').map((name) => {
  const server = servers.find((one) => one.name === name);
  if (server === undefined) throw new Error(`no server is called ${name}`);
  return server;
});
if (values['cpu-prof'] !== undefined) nodeFlags.push('--cpu-prof', `--cpu-prof-dir=${resolve(values['cpu-prof'])}`);

async function build(): Promise<string> {
  if (!existsSync(join(repository, 'dist/components/bin/etcd'))) {
    const bundle = join(repository, 'scripts/build/bundle.ts');
    execFileSync(process.execPath, [bundle, '--only', 'etcd'], { stdio: 'inherit' });
  }
  const kine = 'github.com/k3s-io/kine';
  await buildGoProgram({ module: 'bench/datastore/kine', package: kine, needsC: true });
  return await buildGoProgram({ module: 'bench/datastore/client', name: 'datastore-client' });
}

for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => process.exit(1));
const client = await build();
const dir = mkdtempSync(join(values.dir, 'kagent-bench-'));
process.once('exit', () => rmSync(dir, { recursive: true, force: true }));

const samples: Sample[] = [];
const failures: string[] = [];
const machine = describeMachine(dir);
process.stderr.write(`${machine}\n`);
await measureAll({
  client,
  dir,
  only,
  servers: chosen,
  clients: values.clients.split(',').map(Number),
  seconds: Number(values.seconds),
  rounds: Number(values.rounds),
  isUnix: values.unix,
  onSample: (sample) => {
    samples.push(sample);
    const figures = Object.entries(sample.figures).map(([name, value]) => `${name} ${value.toFixed(2)}`);
    process.stderr.write(
      `${sample.round} ${sample.measure} ${sample.clients} ${sample.server}: ${figures.join(', ')}\n`,
    );
  },
  onFailure: (what, error) => {
    failures.push(`${what}: ${messageOf(error)}`);
    process.stderr.write(`${failures.at(-1)}\n`);
  },
});

if (failures.length > 0) process.exitCode = 1;
const promises = chosen.map(({ name, durability }) => `- ${name}: ${durability}.`).join('\n');
const transport = values.unix ? 'a unix socket' : 'TCP on loopback';
const text = `# The datastore, measured

\`node bench/datastore/datastore.ts\`: kagent from its sources (Node ${process.versions.node}), etcd 3.7.3 and kine 0.16.4 on one machine, which the
load client shares; medians of ${values.rounds} rounds of ${values.seconds} s, the servers taking turns at every step. The client is \`client/v3/kubernetes\`,
kube-apiserver's own, with at most 10 connections over ${transport}. 10,000 objects of 1 KiB in 100 namespaces.

Machine: ${machine}.

Durability:

${promises}

\`delete\` is a create and a delete, \`list\` a page of 500 of a paginated list, \`listns\` a namespace of 100, \`range\` and \`stream\` all
10,000 by Range and by RangeStream, \`mixed\` 60 % update, 20 % get, 17 % create and delete, 3 % listns with 11 watches open, \`watch\` the time
from before the Txn to the event at 50 watches and 200 events a second, \`progress\` the answer to a RequestProgress. Rates say more about the
machine than about the server: compare ratios and CPU.
${failures.map((failure) => `\n**Not measured**: ${failure}\n`).join('')}
${tables({ samples, servers: chosen.map(({ name }) => name) })}
`;
process.stdout.write(text);
const results = join(repository, 'dist/bench');
mkdirSync(results, { recursive: true });
writeFileSync(join(results, 'datastore.json'), JSON.stringify({ machine, samples, failures }, null, 2));
if (values.docs) writeFileSync(join(repository, 'docs/datastore-performance.md'), text);
