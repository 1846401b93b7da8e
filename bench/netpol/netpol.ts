/**
 * What NetworkPolicies cost, and how soon they are in force: `sudo node bench/netpol/netpol.ts [--rounds 20] [--pods 1000]
 * [--policies 200]`, with dist/kagent built. A policy that closes a pod is made and removed while connections to it are tried
 * every few milliseconds from another pod, without others and with so many; so are the rules, the memory of kube-node, and
 * what a connection takes.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createNodes } from '../../test/helpers/cluster.ts';
import { podsOf } from '../../test/helpers/nodes.ts';
import { sampleHost } from '../samples.ts';
import { percentile } from '../percentile.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    pods: { type: 'string', default: '1000' },
    policies: { type: 'string', default: '200' },
  },
});
const goalMs = 1000;
const connections = '2000';
const port = '9000';
const namespaces = Array.from({ length: 10 }, (_, at) => `crowd-${at}`);

const pod = (name: string, app: string, command: readonly string[]) => `---
apiVersion: v1
kind: Pod
metadata: { name: ${name}, labels: { app: ${app} } }
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - { name: x, image: IMAGE, command: ${JSON.stringify(command)}, ports: [{ name: http, containerPort: 8080 }] }
`;
interface Inspected {
  readonly info: {
    readonly runtimeSpec: {
      readonly linux: { readonly namespaces: readonly { readonly type: string; readonly path?: string }[] };
    };
  };
}

const figures = (times: readonly number[], digits = 0) =>
  [0.5, 0.9, 1].map((part) => percentile(times, part).toFixed(digits)).join(', ');

const nodes = await createNodes('bench-netpol', { agents: 0 });
try {
  const { server: box } = nodes;
  const script = (name: string) => [process.execPath, join(import.meta.dirname, name)];
  const kubeNode = () =>
    [...sampleHost(box.host).values()].find(({ name }) => name === 'kube-node')?.anonymousBytes ?? 0;
  const rows: string[] = [];
  const row = (what: string, figure: string) => void rows.push(`| ${what} | ${figure} |`);

  await box.kubectl('create', 'namespace', 'bench');
  await box.apply(pod('web', 'web', ['sleep', '3600']) + pod('client', 'client', ['sleep', '3600']), '-n', 'bench');
  await box.kubectl('wait', '-n', 'bench', 'pod', '--all', '--for=condition=Ready', '--timeout=60s');
  await box.kubectl('config', 'set-context', '--current', '--namespace=bench');
  const [web] = await podsOf(box, 'app=web');
  const address = web?.status.podIP ?? '';
  const networkOf = async (name: string): Promise<string> => {
    const sandbox = (await box.sh(`kagent crictl pods -q --name ${name}`)).trim();
    return (
      JSON.parse(await box.sh(`kagent crictl inspectp ${sandbox}`)) as Inspected
    ).info.runtimeSpec.linux.namespaces
      .filter(({ type }) => type === 'network')
      .map(({ path }) => path ?? '')
      .join('');
  };
  const network = await networkOf('client');
  const listening = `require('net').createServer((socket) => socket.on('error', () => {}).resume()).listen(${port})`;
  box.run(['nsenter', `--net=${await networkOf('web')}`, process.execPath, '-e', listening]);

  const measure = async (circumstances: string): Promise<number> => {
    const said = await box.host.must([...script('rounds.ts'), values.rounds, address, port, network], {
      timeoutMs: 300_000,
    });
    const { closing, opening } = JSON.parse(said) as Record<'closing' | 'opening', readonly number[]>;
    row(`a policy that closes, ms (p50, p90, most), ${circumstances}`, figures(closing));
    row(`its end, ms (p50, p90, most), ${circumstances}`, figures(opening));
    return percentile(closing, 0.5);
  };
  const connect = async (circumstances: string): Promise<void> => {
    const nsenter = ['nsenter', `--net=${network}`, ...script('connects.ts'), address, port, 'times', connections];
    const times = JSON.parse(await box.host.must(nsenter, { timeoutMs: 120_000 })) as readonly number[];
    row(`a connection, ms (p50, p90, most of ${connections}), ${circumstances}`, figures(times, 2));
  };
  const memory = (circumstances: string) =>
    row(`kube-node, anonymous MiB, ${circumstances}`, (kubeNode() / 2 ** 20).toFixed(1));

  memory('no policy');
  await connect('no policy');
  const alone = await measure('no other policy');
  for (const namespace of namespaces) await box.kubectl('create', 'namespace', namespace);
  for (const [at, namespace] of namespaces.entries())
    await box.apply(
      pod('one', `app-${at}`, ['sleep', '3600']) + pod('two', `app-${(at + 5) % 10}`, ['sleep', '3600']),
      '-n',
      namespace,
    );
  await box.kubectl('wait', '-A', 'pod', '-l', 'app', '--for=condition=Ready', '--timeout=120s');
  await box.host.must([...script('crowd.ts'), values.pods, values.policies], { timeoutMs: 300_000 });
  const crowd = `${values.policies} policies, ${values.pods} pods`;
  await box.apply(
    `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: client }
spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
  ingress: [{ from: [{ podSelector: { matchLabels: { app: client } } }], ports: [{ port: ${port} }] }]
  egress: [{ to: [{ podSelector: {} }] }]
`,
    '-n',
    'bench',
  );
  await connect(`allowed by a policy, ${crowd}`);
  await box.kubectl('delete', 'networkpolicy', '-n', 'bench', 'client');
  const crowded = await measure(crowd);
  memory(crowd);
  const table = await box.sh('nft list table ip kagent-netpol');
  const count = (what: RegExp) => String(table.match(what)?.length ?? 0);
  row(
    `chains, rules, ${crowd}, of them 22 pods here`,
    `${count(/^\tchain /gm)}, ${count(/^\t\t(ct|ip|jump|counter|accept)\b/gm)}`,
  );
  const isReached = Math.max(alone, crowded) <= goalMs;
  process.stdout.write(`| | |
| --- | --- |
${rows.join('\n')}

${Math.max(alone, crowded)} ms ${isReached ? 'reach' : 'do not reach'} the goal of ${goalMs}.
`);
} finally {
  await nodes.wipe();
}
