/** What the doctor finds on real boxes, and on the path between two: rules that drop, an MTU that is smaller on the path. */
import { afterEach, beforeAll, expect, test } from 'vitest';
import { defaultDataDir, pathsOf } from '../../../src/shared/paths.ts';
import type { Box, Nodes } from '../../helpers/cluster.ts';
import { eventually } from '../../helpers/wait.ts';
import { theCluster } from '../server-and-agent.ts';

/** A program of Node's: a name server that knows outside.example alone. */
const nameServer = (address: string) => `
const socket = require('dgram').createSocket('udp4', (query, from) => {
  let end = 12;
  while (query[end] !== 0) end += query[end] + 1;
  const isKnown = query.toString('latin1', 12, end) === '\\x07outside\\x07example';
  const isForAddress = query[end + 2] === 1;
  const answer = isKnown && isForAddress ? [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7] : [];
  const head = [query[0], query[1], 0x85, isKnown ? 0x80 : 0x83, 0, 1, 0, answer.length > 0 ? 1 : 0, 0, 0, 0, 0];
  const reply = Buffer.concat([Buffer.from(head), query.subarray(12, end + 5), Buffer.from(answer)]);
  socket.send(reply, from.port, from.address);
});
socket.bind(53, '${address}', () => console.log('pid', process.pid));`;

interface Report {
  readonly fit: boolean;
  readonly findings: readonly {
    readonly check: string;
    readonly severity: string;
    readonly what: string;
    readonly code?: string;
  }[];
  readonly fine: readonly string[];
  readonly fixed: readonly { readonly check: string; readonly what: string }[];
}

let nodes: Nodes;
let a1: Box;
let token: string;
const undo: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  nodes = theCluster();
  ({ a1 } = theCluster());
  token = await nodes.token();
});
afterEach(async () => {
  for (const back of undo.splice(0)) await back();
});

async function doctor(box: Box, ...args: readonly string[]): Promise<Report & { readonly code: number }> {
  const { code, stdout, stderr } = await box.kagent(['doctor', '--json', ...args]);
  if (stderr !== '') throw new Error(stderr);
  return { code, ...(JSON.parse(stdout) as Report) };
}

const from = (...args: readonly string[]) => doctor(a1, '--from', nodes.url, '--token', token, ...args);

function findingsOf(report: Report, check: string): readonly string[] {
  return report.findings.filter((one) => one.check === check).map(({ severity, what }) => `${severity}: ${what}`);
}

/** Something done on a box, or on the switch, until the end of the test. */
async function meanwhile(box: Box, doing: string, undoing: string): Promise<void> {
  undo.push(() => box.sh(undoing));
  await box.sh(doing);
}

const serverChecks = ['server-reached', 'server-lets-in', 'server-apiserver', 'server-udp', 'server-mtu'];

test('a good path: everything is tried, the pods’ port too though the server’s kernel holds it, and found fine', async () => {
  const report = await from();
  expect(report.findings.filter(({ check }) => check.startsWith('server-'))).toEqual([]);
  expect(report.fine).toEqual(expect.arrayContaining(serverChecks));
  expect(report).toMatchObject({ fit: true, code: 0 });
});

test('a rule on the server that drops UDP 8472 is seen from the other box, as a matter of that direction alone', async () => {
  await meanwhile(
    nodes.server,
    'iptables -I INPUT -p udp --dport 8472 -j DROP',
    'iptables -D INPUT -p udp --dport 8472 -j DROP',
  );
  expect(findingsOf(await from(), 'server-udp')).toEqual([
    'warning: no UDP packet to port 8472 came through from here to the server',
  ]);
});

test('a rule here that drops UDP 8472 is seen as the other direction', async () => {
  await meanwhile(a1, 'iptables -I INPUT -p udp --dport 8472 -j DROP', 'iptables -D INPUT -p udp --dport 8472 -j DROP');
  expect(findingsOf(await from(), 'server-udp')).toEqual([
    'warning: no UDP packet to port 8472 came through from the server to here',
  ]);
});

test('an MTU that is smaller on the path than at its ends is found, with the size that still passes', async () => {
  undo.push(() => a1.host.mtu(1500));
  await a1.host.mtu(1400);
  const report = await from();
  const lost = 'those of 1420 bytes do not; the interfaces allow 1500';
  expect(findingsOf(report, 'server-mtu')).toEqual([
    `warning: packets of 1400 bytes come through from here to the server, ${lost}`,
    `warning: packets of 1400 bytes come through from the server to here, ${lost}`,
  ]);
  expect(findingsOf(report, 'server-udp')).toEqual([]);
});

test('kube-apiserver’s port alone being closed is told apart from the server being away', async () => {
  const rule = 'INPUT -p tcp --dport 6443 ! -i lo -j REJECT --reject-with tcp-reset';
  await meanwhile(nodes.server, `iptables -I ${rule}`, `iptables -D ${rule}`);
  const report = await from();
  expect(findingsOf(report, 'server-apiserver')).toEqual([
    expect.stringContaining(`fatal: nothing listens at https://${nodes.server.host.address}:6443`),
  ]);
  expect(report).toMatchObject({ fit: false, code: 1 });
});

test('a port where nobody listens, a name nobody knows or the server has not, a wrong token: each has its own code', async () => {
  const code = async (...args: readonly string[]) => {
    const { findings } = await doctor(a1, ...args);
    return findings.flatMap((one) => (one.check.startsWith('server-') ? [one.code] : []));
  };
  const { address } = nodes.server.host;
  expect(await code('--from', `https://${address}:9399`, '--token', token)).toEqual(['JOIN_REFUSED']);
  expect(await code('--from', 'https://nobody.invalid', '--token', token)).toEqual(['JOIN_DNS']);
  await meanwhile(a1, `cp /etc/hosts /tmp/hosts && echo '${address} alias' >>/etc/hosts`, 'cp /tmp/hosts /etc/hosts');
  expect(await code('--from', 'https://alias', '--token', token)).toEqual(['JOIN_TLS_NAME']);
  expect(await code('--from', `https://${address}:9345`, '--token', `${token}x`)).toEqual(['TOKEN_WRONG']);
  expect(await code('--from', `https://${address}:9345`)).toEqual(['JOIN_NO_TOKEN']);
  const otherCa = token.replace(/^K10(.)/, (_, first: string) => `K10${first === 'f' ? '0' : 'f'}`);
  expect(await code('--from', `https://${address}:9345`, '--token', otherCa)).toEqual(['JOIN_CA_HASH']);
});

test('rules that refuse what they do not know are a finding with the commands that let nodes in', async () => {
  await meanwhile(a1, 'iptables -A INPUT -j REJECT', 'iptables -D INPUT -j REJECT');
  const { findings } = await doctor(a1, 'server');
  const rules = findings.find(({ check }) => check === 'input-rules');
  expect(rules?.what).toBe('no rule lets in 6443/tcp, 9345/tcp, 8472/udp, and the rest is refused');
});

test('a box without a default route is as fit as others', async () => {
  const gateway = nodes.server.host.address.replace(/\d+$/, '1');
  await meanwhile(a1, 'ip route del default', `ip route add default via ${gateway}`);
  const report = await doctor(a1);
  expect(report.fine).toContain('node-address');
  expect(findingsOf(report, 'service-route')).toEqual([]);
});

test('a port that is taken is fatal, with who has it; the ports of a kagent that runs here are not', async () => {
  const listen = "require('net').createServer().listen(10250, () => console.log('pid', process.pid))";
  const holder = a1.run([process.execPath, '-e', listen]);
  const pid = await eventually(() => /pid (\d+)/.exec(holder.output())?.[1]);
  undo.push(() => a1.signal(Number(pid), 'KILL'));
  const report = await doctor(a1, 'agent');
  expect(findingsOf(report, 'ports')).toEqual([
    expect.stringMatching(`^fatal: port 10250 \\(kubelet\\) is taken by .* \\(pid ${pid}\\)$`),
  ]);
  expect(report).toMatchObject({ fit: false, code: 1 });
  expect(findingsOf(await doctor(nodes.server, 'server'), 'ports')).toEqual([]);
});

test('--fix does what it can, notes it for uninstalling first, and the finding is gone', async () => {
  await meanwhile(
    a1,
    "cp /etc/hosts /tmp/hosts && sed -i /localhost/d /etc/hosts && echo '10.0.0.9 other' >>/etc/hosts",
    'cp /tmp/hosts /etc/hosts',
  );
  const report = await doctor(a1, '--fix');
  expect(report.fixed).toEqual([{ check: 'localhost', what: '/etc/hosts names 127.0.0.1 localhost' }]);
  expect(findingsOf(report, 'localhost')).toEqual([]);
  const noted = JSON.parse(await a1.sh('cat /var/lib/kagent/journal.jsonl')) as {
    readonly path: string;
    readonly before: string;
  };
  expect(noted.path).toBe('/etc/hosts');
  expect(Buffer.from(noted.before, 'base64').toString()).toContain('10.0.0.9 other');
});

test('a server’s resolv.conf may be empty, and filled later: pods look names up through it, and the doctor does', async () => {
  const { server } = nodes;
  const resolvConf = (text: string) => server.sh(`printf '${text}' >/etc/resolv.conf`);
  await meanwhile(server, 'cp /etc/resolv.conf /tmp/resolv.conf', 'cp /tmp/resolv.conf /etc/resolv.conf');
  undo.push(() => server.kubectl('delete', 'pod', 'asker', '--now'));
  await server.kubectl('run', 'asker', '--image=kagent.sh/busybox:1', '--', 'sleep', '1000');
  await server.kubectl('wait', 'pod/asker', '--for=condition=Ready', '--timeout=60s');
  await resolvConf('');
  const podsFile = `${pathsOf(defaultDataDir).agent.etc}/resolv.conf`;
  const ofPods = async () => (await server.sh(`cat ${podsFile}`)).trim();
  await eventually(async () => (await ofPods()) === 'nameserver 8.8.8.8', { withinMs: 30_000, what: 'the public one' });
  const without = await doctor(server);
  expect(findingsOf(without, 'dns-loop')).toEqual(['warning: no resolv.conf of this host names a server']);
  expect(findingsOf(without, 'dns-lookup')).toEqual([
    expect.stringMatching(/^warning: the name server 8\.8\.8\.8 does not resolve names \(\w+\)$/),
  ]);
  const { address } = server.host;
  const names = server.run([process.execPath, '-e', nameServer(address)]);
  const pid = await eventually(() => /pid (\d+)/.exec(names.output())?.[1]);
  undo.push(async () => {
    await server.signal(Number(pid), 'KILL');
    await names.exited;
  });
  await resolvConf(`nameserver ${address}\\n`);
  const lookUp = () => server.tryKubectl('exec', 'asker', '--', 'nslookup', 'outside.example');
  await eventually(async () => (await lookUp()).stdout.includes('192.0.2.7'), {
    withinMs: 90_000,
    what: 'the address of outside.example in a pod',
  });
  const { fine } = await doctor(server);
  expect(fine).toEqual(expect.arrayContaining(['dns-loop', 'dns-lookup', 'dns-servers']));
  await resolvConf('nameserver 2001:db8::53\\n');
  expect(findingsOf(await doctor(server), 'dns-loop')).toEqual([
    "warning: this host's resolv.conf names 2001:db8::53 alone, and pods have addresses of IPv4 alone",
  ]);
}, 200_000);

test('a box that has joined is asked nothing: its certificate is enough, and both kernels hold the port', async () => {
  const gateway = nodes.server.host.address.replace(/\d+$/, '1');
  const route = `10.42.99.0/24 via ${gateway}`;
  await meanwhile(a1, `ip route add ${route}`, `ip route del ${route}`);
  const agent = await a1.startAgent('--url', nodes.url, '--token', token);
  const report = await doctor(a1, '--from', nodes.url);
  expect(report.findings.filter(({ check }) => check.startsWith('server-'))).toEqual([]);
  expect(report.fine).toEqual(expect.arrayContaining(serverChecks));
  expect(findingsOf(report, 'ports')).toEqual([]);
  // What its start has told of already.
  expect(findingsOf(report, 'address-ranges')).toHaveLength(1);
  expect(agent.output()).toMatch(/warn.*a check of the box has failed.*10\.42\.0\.0\/16 overlaps 10\.42\.99\.0\/24/);
});
