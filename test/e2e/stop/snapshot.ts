import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Box } from '../../helpers/cluster.ts';
import { processesOf } from '../../helpers/processes.ts';

/** Everything of a box that somebody could leave something in, one line per thing. */
export type Snapshot = Readonly<Record<string, readonly string[]>>;

const lines = (text: string) => text.split('\n').filter((line) => line.trim() !== '');

export async function snapshotOf(box: Box): Promise<Snapshot> {
  const inside = async (script: string) => lines(await box.sh(script));
  const [mounts, links, addresses, routes, rules, firewall, sets, cgroups, sysctls] = await Promise.all([
    readFile(box.path('/proc/1/mountinfo'), 'utf8').then(mountPoints),
    inside("ip -o link | sed 's/^[0-9]*: //; s/[@:] .*//; s/@.*//'"),
    inside("ip -o address | awk '{print $2, $4}'"),
    inside('ip route show table all; ip -6 route show table all'),
    inside('ip rule; ip -6 rule'),
    box.sh('nft -j list ruleset').then(firewallRules),
    inside('ipset list -n 2>/dev/null || true'),
    inside('find /sys/fs/cgroup -type d'),
    inside(
      // A count of connections is no setting.
      'sysctl -a 2>/dev/null | grep -v conntrack_count | grep -E "^(net\\.(ipv[46]\\.(ip_forward|conf\\.(all|default)\\.)|bridge|netfilter)|vm\\.(overcommit|panic)|kernel\\.(panic|keys)|fs\\.inotify)"',
    ),
  ]);
  return {
    processes: processesOf(box).map((process) => process.commandLine),
    mounts,
    links,
    addresses,
    routes,
    rules,
    firewall,
    sets,
    cgroups,
    files: await files(box),
    sysctls,
  };
}

/** What is in one and not in the other, by kind: `+` came, `-` went. */
export function differences(before: Snapshot, after: Snapshot): Snapshot {
  const changed = Object.keys(before).map((kind) => {
    const [old, now] = [new Set(before[kind]), new Set(after[kind])];
    const came = [...now].filter((line) => !old.has(line)).map((line) => `+ ${line}`);
    const went = [...old].filter((line) => !now.has(line)).map((line) => `- ${line}`);
    return [kind, [...went, ...came]] as const;
  });
  return Object.fromEntries(changed.filter(([, list]) => list.length > 0));
}

/** `/var/lib/kubelet/pods/…/token tmpfs`: without the numbers that differ at each mount. */
function mountPoints(mountinfo: string): readonly string[] {
  return lines(mountinfo).map((line) => {
    const [left = '', right = ''] = line.split(' - ');
    return `${left.split(' ')[4]} ${right.split(' ')[0]}`;
  });
}

interface NftObject {
  readonly chain?: { readonly family: string; readonly table: string; readonly name: string; readonly hook?: string };
  readonly rule?: { readonly family: string; readonly table: string; readonly chain: string; readonly expr: unknown };
  readonly set?: { readonly family: string; readonly table: string; readonly name: string };
}

/** Rules, sets, and chains of somebody's own; the empty tables that iptables leaves behind itself do nothing. */
function firewallRules(json: string): readonly string[] {
  const { nftables } = JSON.parse(json) as { nftables: readonly NftObject[] };
  return nftables.flatMap(({ chain, rule, set }) => {
    if (chain !== undefined && chain.hook === undefined) return [`chain ${chain.family} ${chain.table} ${chain.name}`];
    if (set !== undefined) return [`set ${set.family} ${set.table} ${set.name}`];
    if (rule === undefined) return [];
    const expression = JSON.stringify(rule.expr).replaceAll(/"(packets|bytes)":\d+/g, '"$1":0');
    return [`rule ${rule.family} ${rule.table} ${rule.chain} ${expression}`];
  });
}

/** What a person made by using the box, not kagent: kubectl's cache, and what these tests put into /tmp. */
const notOurs = /^\/(root$|root\/\.kube|tmp\/manifest-)|^\/root\/\.config(\/go.*)?$/;

/** The upper layer of the root, the disks mounted into it, and /run: everything written since the box was made. */
async function files(box: Box): Promise<readonly string[]> {
  const roots = [
    [join(box.host.dir, 'upper'), ''],
    [join(box.host.dir, 'disk'), ''],
    [box.path('/run'), '/run'],
  ] as const;
  const found = await Promise.all(
    roots.map(async ([dir, mountedAt]) => {
      const { stdout } = await promisify(execFile)('find', [dir, '-mindepth', '1', '-printf', '%y /%P\n'], {
        maxBuffer: 256 * 1024 * 1024,
      });
      return lines(stdout).map((line) => line.replace(' /', ` ${mountedAt}/`));
    }),
  );
  return found.flat().filter((line) => !notOurs.test(line.slice(2)));
}
