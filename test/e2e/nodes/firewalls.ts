import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Box, Nodes } from '../../helpers/cluster.ts';
import { fetchPackages } from '../../helpers/debian-packages.ts';
import { buildGoProgram } from '../../helpers/go.ts';
import { untilNode } from '../../helpers/nodes.ts';
import { eventually } from '../../helpers/wait.ts';
import { json, policy, webPod } from './policy-objects.ts';

const namespace = 'walled';
const web = { matchLabels: { app: 'web' } };
const friends = { podSelector: { matchLabels: { role: 'friend' } } };

/** A firewall as its administrator has it before kagent comes: what it is not told to let through is dropped. */
interface Firewall {
  readonly on: string;
  readonly off: string;
  /** Which check of the doctor is about it. */
  readonly check: string;
  /** Reads its rules anew, as a change of them does. */
  readonly reload: string;
}

const ownTable = `table inet host {
  chain input {
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    iif lo accept
    tcp dport 22 accept
  }
  chain forward { type filter hook forward priority filter; policy drop; }
}`;

const firewalls: Readonly<Record<string, Firewall>> = {
  ufw: { on: 'ufw --force enable', off: 'ufw --force disable', check: 'ufw', reload: 'ufw reload' },
  firewalld: {
    on: 'mkdir -p /run/dbus; dbus-daemon --system --fork; firewalld; timeout 30 sh -c "until firewall-cmd --state; do sleep 0.2; done"',
    off: 'kill $(cat /run/firewalld.pid); timeout 30 sh -c "while pgrep -x firewalld; do sleep 0.2; done"; kill $(cat /run/dbus/pid)',
    check: 'firewalld',
    reload: 'firewall-cmd --reload',
  },
  'a table of its own for nft, which drops': {
    on: `nft -f - <<'END'\n${ownTable}\nEND`,
    off: 'nft delete table inet host',
    check: 'nftables',
    reload: 'true',
  },
};

interface Report {
  readonly findings: readonly { readonly check: string; readonly what: string; readonly fix: string }[];
}

/** Hosts that have a firewall of their own, or no nf_tables: each joins for it, and is gone in the end. */
export function firewallStories(nodes: () => Nodes): void {
  const server = () => nodes().server;
  const kubectl = (...args: readonly string[]) => server().kubectl('-n', namespace, ...args);
  const addresses = new Map<string, string>();
  let f1: Box;

  const reaches = async (from: string, to: string) => {
    const url = `http://${addresses.get(to) ?? to}`;
    const args = ['-n', namespace, 'exec', from, '--', 'timeout', '2', 'wget', '-q', '-O', '-', url];
    return (await server().tryKubectl(...args)).code === 0;
  };
  /** Which of these `from > to` do. */
  const reaching = async (...pairs: readonly string[]) => {
    const reached = await Promise.all(
      pairs.map(async (pair) => {
        const [from = '', to = ''] = pair.split(' > ');
        return (await reaches(from, to)) ? [pair] : [];
      }),
    );
    return reached.flat();
  };
  const every = ['friend-a1 > web-f1', 'stranger-a1 > web-f1', 'friend-f1 > web-f1', 'friend-f1 > friend-a1'];
  const closed = ['stranger-a1 > web-f1', 'stranger-f1 > web-f1'];
  const open = ['friend-a1 > web-f1', 'friend-f1 > web-f1', 'friend-f1 > friend-a1'];
  const patiently = { timeout: 20_000, interval: 100 };
  const resolves = async () =>
    (
      await server().tryKubectl(
        '-n',
        namespace,
        'exec',
        'friend-f1',
        '--',
        'nslookup',
        'kubernetes.default.svc.cluster.local',
      )
    ).code === 0;
  /** A Service, by way of which names are asked for: its rules are kube-proxy's, which looks after them every 30 s. */
  const untilNamesResolve = async () => {
    const fromMs = performance.now();
    await eventually(resolves, { withinMs: 60_000, everyMs: 200, what: 'the answer of a Service' });
    console.log(`a Service answers after ${((performance.now() - fromMs) / 1000).toFixed(1)} s`);
  };
  const findings = async (...args: readonly string[]) => {
    const { stdout } = await f1.kagent(['doctor', 'agent', '--json', ...args], { timeoutMs: 120_000 });
    return (JSON.parse(stdout) as Report).findings;
  };

  beforeAll(async () => {
    f1 = await nodes().addBox('f1', 61);
    await fetchPackages(f1.path('/tmp/packages'), ['ufw', 'firewalld']);
    await f1.sh('DEBIAN_FRONTEND=noninteractive dpkg -i /tmp/packages/*.deb');
    await f1.startAgent(...(await nodes().joinFlags()));
    await server().kubectl('create', 'namespace', namespace);
    const pods = [
      webPod('web-f1', 'f1', { app: 'web' }),
      ...['f1', 'a1'].flatMap((node) => [
        webPod(`friend-${node}`, node, { role: 'friend' }),
        webPod(`stranger-${node}`, node, { role: 'stranger' }),
      ]),
    ];
    await server().apply(json(...pods), '-n', namespace);
    await kubectl('wait', 'pod', '--all', '--for=condition=Ready', '--timeout=90s');
    const listed = await kubectl(
      'get',
      'pods',
      '-o',
      'jsonpath={range .items[*]}{.metadata.name} {.status.podIP}{"\\n"}{end}',
    );
    for (const line of listed.trim().split('\n')) {
      const [name = '', address = ''] = line.split(' ');
      addresses.set(name, address);
    }
  });
  afterAll(async () => {
    await server().tryKubectl('delete', 'namespace', namespace, '--timeout=60s');
    await f1?.host.off();
    await server().kagent(['node', 'rm', 'f1', '--force']);
  });

  test.each(Object.entries(firewalls))(
    '%s: as the doctor would have it pods go on as before, and policies hold, also when it reads its rules anew',
    async (_, firewall) => {
      await kubectl('delete', 'networkpolicies', '--all');
      await f1.sh(firewall.on);
      const before = (await findings()).filter(({ check }) => check === firewall.check);
      expect(before).not.toEqual([]);
      await findings('--fix');
      // What it does not change itself, it says.
      for (const { check, fix } of await findings()) if (check === firewall.check) await f1.sh(fix.split(';')[0] ?? '');
      expect((await findings()).filter(({ check }) => check === firewall.check)).toEqual([]);
      await expect.poll(() => reaching(...every), patiently).toEqual(every);
      await untilNamesResolve();

      const rules = [
        policy('closed', { podSelector: web }),
        policy('friends', { podSelector: web, ingress: [{ from: [friends] }] }),
      ];
      await server().apply(json(...rules), '-n', namespace);
      await expect.poll(() => reaching(...open, ...closed), patiently).toEqual(open);
      await f1.sh(firewall.reload);
      await expect.poll(() => reaching(...open, ...closed), patiently).toEqual(open);
      await f1.sh(firewall.off);
      await expect.poll(() => reaching(...open, ...closed), patiently).toEqual(open);
    },
    180_000,
  );

  test.each(['nft flush ruleset', 'iptables -F'])(
    'after %s policies hold again within ten seconds, and pods reach what they may',
    async (flush) => {
      await f1.sh(flush);
      await expect.poll(() => reaching(...open, ...closed), { timeout: 10_000, interval: 100 }).toEqual(open);
      await untilNamesResolve();
    },
    120_000,
  );

  test('rules for SCTP are taken as those for TCP are', async () => {
    const ports = [
      { protocol: 'SCTP', port: 7 },
      { protocol: 'SCTP', port: 9, endPort: 11 },
    ];
    await server().apply(json(policy('sctp', { podSelector: web, ingress: [{ ports }] })), '-n', namespace);
    const table = () => f1.sh('nft -n list table ip kagent-netpol');
    await eventually(async () => /ct protocol (132|sctp).* 9-11\b/.test(await table()), { what: 'the rules for SCTP' });
    expect(await table()).toMatch(/ct protocol (132|sctp).*proto-dst 7\b|ct protocol (132|sctp).*proto-src 7\b/);
    expect(await reaching(...open, ...closed)).toEqual(open);
  });

  test('a kernel without nf_tables: pods go on without policies, and start, status, doctor and an event at each policy say so', async () => {
    const program = await buildGoProgram({ module: 'test/fixtures/no-nftables' });
    const o1 = await nodes().addBox('o1', 62);
    // As such a kernel describes itself; and the host has no iptables of the newer kind, nor of any.
    await o1.sh(`release=$(uname -r); given=/proc/config.gz; [ -e $given ] || given=/boot/config-$release
zcat -f $given | sed '/^CONFIG_NF_TABLES[=_]/d' >/boot/config-$release
if [ $given = /proc/config.gz ]; then gzip -c /boot/config-$release >/tmp/config.gz; mount --bind /tmp/config.gz $given; fi
mkdir -p /tmp/module
mount --bind /tmp/module /sys/module
find /usr/sbin /sbin -name '*tables*' -delete`);
    const agent = o1.run([program, '/usr/local/bin/kagent', 'agent', ...(await nodes().joinFlags())]);
    await untilNode(nodes(), 'o1', { status: 'Ready', connected: true }, 120_000);
    const condition = async () =>
      (await o1.status()).components.find(({ name }) => name === 'network-policies')?.condition;
    await eventually(async () => (await condition())?.status === 'False', { withinMs: 30_000, what: 'the condition' });
    const why = 'its kernel takes no such rules (nf_tables with maps and ct)';
    expect((await condition())?.message).toContain(why);
    const lines = agent.output().split('\n');
    expect(lines.some((line) => line.includes('network-policies') && line.includes(why))).toBe(true);
    const { stdout } = await o1.kagent(['doctor', 'agent', '--json'], { timeoutMs: 120_000 });
    const found = (JSON.parse(stdout) as Report).findings.map(({ check, what }) => `${check}: ${what}`).join('\n');
    expect(found).toMatch(/^kernel-nftables: .*NF_TABLES/m);
    expect(found).toMatch(/^components: .*network-policies/m);

    await server().apply(json(webPod('web-o1', 'o1', { app: 'web' })), '-n', namespace);
    await kubectl('wait', 'pod/web-o1', '--for=condition=Ready', '--timeout=60s');
    addresses.set('web-o1', await kubectl('get', 'pod', 'web-o1', '-o', 'jsonpath={.status.podIP}'));
    const told = async () => {
      const of = ['get', 'events', '--field-selector', 'reason=NotEnforced', '-o'] as const;
      return await kubectl(...of, 'jsonpath={range .items[*]}{.involvedObject.name}: {.message}{"\\n"}{end}');
    };
    for (const name of ['closed', 'friends'])
      await eventually(
        async () => (await told()).includes(`${name}: Node o1 does not enforce this policy: its kernel`),
        {
          what: `the event of ${name}`,
        },
      );
    await expect.poll(() => reaching('stranger-a1 > web-o1', 'web-o1 > friend-a1'), patiently).toHaveLength(2);
    await o1.host.off();
    await server().kagent(['node', 'rm', 'o1', '--force']);
  }, 240_000);
}
