import { fine, notLooked, note, warning } from '../check.ts';
import type { ExaminedHost, Check } from '../check.ts';
import { isOlder, majorMinor } from './reading.ts';
import { vxlanPort } from '../../probe/probe.ts';

const kubeletPort = 10_250; // reached by the tunnel, needs no opening
const wireguardPort = 51_820;

export const firewallChecks: readonly Check[] = [
  {
    name: 'iptables-version',
    group: 'Firewall',
    title: 'iptables is none of the versions with known faults',
    why: 'the nftables flavour of 1.8.0 to 1.8.4 adds rules twice and loses others: Services fail now and then',
    fix: 'install a newer iptables, or: update-alternatives --set iptables /usr/sbin/iptables-legacy',
    forNodes: true,
    async look({ tools }) {
      const { stdout } = await tools.run('iptables', '--version'); // iptables v1.8.4 (nf_tables)
      const [, version = '', patch = ''] = /v(\d+\.\d+)\.?(\d*)/.exec(stdout) ?? [];
      const parsed = majorMinor(version);
      if (parsed === undefined) return notLooked('there is no iptables that says its version; kagent brings one');
      const isFaulty = !isOlder(parsed, [1, 8]) && isOlder(parsed, [1, 9]) && Number(patch) <= 4;
      return isFaulty && stdout.includes('nf_tables') ? warning(`iptables is ${version}.${patch} (nf_tables)`) : fine;
    },
  },
  {
    name: 'iptables-flavours',
    group: 'Firewall',
    title: 'rules are kept in one flavour of iptables alone',
    why: 'both are asked for each packet: a rule of the one drops what the other lets through, and no list shows both',
    fix: 'iptables-legacy-save shows the old rules; iptables-legacy -F && iptables-legacy -t nat -F empties them',
    forNodes: true,
    async look({ root, tools }) {
      const legacy = (root.read('/proc/net/ip_tables_names') ?? '').split('\n').filter((line) => line !== '');
      if (legacy.length === 0) return fine;
      const { stdout } = await tools.run('iptables', '--version');
      if (stdout === '') return notLooked('there is no iptables that says its version; kagent brings one');
      if (!stdout.includes('nf_tables')) return fine;
      return note(`iptables works on nftables, and the old tables ${legacy.join(', ')} are there as well`);
    },
  },
  {
    name: 'firewalld',
    group: 'Firewall',
    title: 'firewalld, if it runs, lets the cluster through',
    why: 'it drops what it does not know: pods reach neither kube-apiserver nor the cluster’s DNS, which is then never Ready, and other nodes do not join',
    fix: 'systemctl disable --now firewalld, or let the cluster through with --fix',
    forNodes: true,
    async look(host) {
      const commands = await firewalldCommands(host);
      return commands.length === 0
        ? fine
        : warning(
            'firewalld runs and does not let the cluster through',
            [...commands.map(({ command }) => command), reload].map(joined).join(' && '),
          );
    },
    async repair(host, repairTools) {
      const commands = await firewalldCommands(host);
      await repairTools.run(reload, reload); // first in the undo log: undone last
      for (const { command, undo } of commands) await repairTools.run(command, undo);
      await host.tools.run('firewall-cmd', '--reload');
      return commands.map(({ command }) => joined(command));
    },
  },
  {
    name: 'ufw',
    group: 'Firewall',
    title: 'ufw, if it is on, lets the cluster through',
    why: 'it drops what it does not know: pods reach neither kube-apiserver nor the cluster’s DNS, which is then never Ready, and other nodes do not join',
    fix: 'ufw disable, or let the cluster through with --fix',
    look(host) {
      const commands = ufwCommands(host);
      return commands.length === 0
        ? fine
        : warning(
            'ufw is on and does not let the cluster through',
            commands.map(({ command }) => joined(command)).join(' && '),
          );
    },
    async repair(host, repairTools) {
      const commands = ufwCommands(host);
      for (const { command, undo } of commands) await repairTools.run(command, undo);
      return commands.map(({ command }) => joined(command));
    },
  },
  {
    name: 'input-rules',
    group: 'Firewall',
    title: 'the box’s own rules let nodes in',
    why: 'some images drop or reject what no rule lets in: pods reach neither kube-apiserver nor the cluster’s DNS, and other nodes do not join',
    fix: 'let the ports in, and keep the rules as your distribution does (netfilter-persistent save)',
    async look(host) {
      if (isUfwOn(host) || (await runsFirewalld(host)))
        return notLooked('they are ufw’s or firewalld’s, which has a check of its own');
      const { code, stdout } = await host.tools.run('iptables', '-S', 'INPUT');
      if (code !== 0) return notLooked('iptables does not show them');
      const closed = closedPorts(stdout, inboundPorts(host));
      if (closed === undefined) return notLooked('they continue in a chain of somebody’s own');
      if (closed.length === 0) return fine;
      const commands = closed.map(([port, protocol]) => `iptables -I INPUT -p ${protocol} --dport ${port} -j ACCEPT`);
      return warning(
        `no rule lets in ${closed.map((one) => one.join('/')).join(', ')}, and the rest is refused`,
        commands.join(' && '),
      );
    },
  },
];

export type Port = readonly [port: number, protocol: 'tcp' | 'udp'];

/** What other boxes must reach on this one. */
export function inboundPorts({ mode, needs, flannelBackend }: ExaminedHost): readonly Port[] {
  const own = needs.ports.filter(({ port }) => port !== kubeletPort).map(({ port }): Port => [port, 'tcp']);
  const network: readonly Port[] =
    needs.flannelBackend === undefined
      ? []
      : flannelBackend === 'vxlan'
        ? [[vxlanPort, 'udp']]
        : flannelBackend === 'wireguard-native'
          ? [[wireguardPort, 'udp']]
          : [];
  return [...(mode === 'server' ? own : []), ...network]; // an agent's own ports are on loopback
}

/** Chains that let nothing in that nobody else does: kube-proxy's, flannel's, and those that ban who guesses passwords. */
const silentChain = /^(KUBE-|FLANNEL-|CNI-|f2b-)/;

/**
 * Of an `iptables -S INPUT`: which of the ports nothing accepts, where the rest is dropped or rejected. Where rules continue
 * in a chain of somebody's own, nothing can be said.
 */
function closedPorts(rules: string, ports: readonly Port[]): readonly Port[] | undefined {
  const lines = rules.split('\n').filter((line) => line.startsWith('-A INPUT '));
  const end = lines.findIndex((line) => /^-A INPUT -j (DROP|REJECT|ACCEPT)\b/.test(line));
  const isOpen = end < 0 ? !/^-P INPUT DROP/m.test(rules) : / -j ACCEPT/.test(lines[end] ?? '');
  const asked = end < 0 ? lines : lines.slice(0, end);
  const goesOn = asked.some((line) => isJump(/ -[jg] (\S+)/.exec(line)?.[1] ?? ''));
  if (goesOn) return undefined;
  if (isOpen) return [];
  const accepting = asked.filter((line) => line.endsWith('-j ACCEPT'));
  return ports.filter(([port, protocol]) => !accepting.some((line) => isFor(line, port, protocol)));
}

function isJump(target: string): boolean {
  return (
    target !== '' && !/^(ACCEPT|DROP|REJECT|LOG|NFLOG|RETURN|MARK|CONNMARK)$/.test(target) && !silentChain.test(target)
  );
}

function isFor(line: string, port: number, protocol: string): boolean {
  if (/^-A INPUT( -s \S+)?( -i (?!lo )\S+)? -j ACCEPT$/.test(line)) return true; // whatever comes from there
  const named = / --dports? (\S+)/.exec(line)?.[1];
  if (named === undefined || !line.includes(` -p ${protocol} `)) return false;
  return named.split(',').some((part) => {
    const [first = '', last = first] = part.split(':');
    return port >= Number(first) && port <= Number(last);
  });
}

interface Change {
  readonly command: readonly string[];
  readonly undo: readonly string[];
}

const reload = ['firewall-cmd', '--reload'] as const;

async function runsFirewalld({ tools }: ExaminedHost): Promise<boolean> {
  return (await tools.run('firewall-cmd', '--state')).code === 0;
}

async function firewalldCommands(host: ExaminedHost): Promise<readonly Change[]> {
  if (!(await runsFirewalld(host))) return [];
  const wanted = [
    ...inboundPorts(host).map(([port, protocol]) => ({ zone: [], kind: 'port', value: `${port}/${protocol}` })),
    ...[host.clusterCidr, host.serviceCidr].map((value) => ({ zone: ['--zone=trusted'], kind: 'source', value })),
  ];
  const changes: Change[] = [];
  for (const { zone, kind, value } of wanted) {
    const { code } = await host.tools.run('firewall-cmd', ...zone, `--query-${kind}=${value}`);
    const change = (verb: string) => ['firewall-cmd', '--permanent', ...zone, `--${verb}-${kind}=${value}`];
    if (code !== 0) changes.push({ command: change('add'), undo: change('remove') });
  }
  return changes;
}

function isUfwOn({ root }: ExaminedHost): boolean {
  return /^ENABLED=yes/m.test(root.read('/etc/ufw/ufw.conf') ?? '');
}

function ufwCommands(host: ExaminedHost): readonly Change[] {
  if (!isUfwOn(host)) return [];
  const rules = host.root.read('/etc/ufw/user.rules') ?? '';
  // `### tuple ### allow tcp 6443 0.0.0.0/0 any 0.0.0.0/0 in`: protocol, port, to, port, from
  const allowed = [...rules.matchAll(/^### tuple ### allow (\S+) (\S+) (\S+) (\S+) (\S+) in/gm)];
  const lets = (protocol: string, port: string, from: string) =>
    allowed.some(([, ruleProtocol = '', rulePort = '', , , ruleFrom = '']) => {
      const isAnyone = ruleFrom === '0.0.0.0/0' || ruleFrom === from;
      return [protocol, 'any'].includes(ruleProtocol) && [port, 'any'].includes(rulePort) && isAnyone;
    });
  const ports = inboundPorts(host).filter(([port, protocol]) => !lets(protocol, String(port), 'anybody'));
  const ranges = [host.clusterCidr, host.serviceCidr].filter((cidr) => !lets('any', 'any', cidr));
  const rule = [...ports.map((port) => ['allow', port.join('/')]), ...ranges.map((cidr) => ['allow', 'from', cidr])];
  return rule.map((words) => ({ command: ['ufw', ...words], undo: ['ufw', 'delete', ...words] }));
}

function joined(words: readonly string[]): string {
  return words.join(' ');
}
