import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Box } from './cluster.ts';
import { processesOf } from './processes.ts';
import { eventually } from './wait.ts';

/** Everything of a box that somebody could leave something in, one line per thing. */
export type BoxState = Readonly<Record<string, readonly string[]>>;

const lines = (text: string) => text.split('\n').filter((line) => line.trim() !== '');

/**
 * A picture of a lab host. Units, links that enable them, crontabs, rc.local, users and network namespaces are files.
 * Kernel modules are not in it: the machine's hosts share them, and one that was loaded stays, as nobody can tell who needs
 * it by now.
 */
export async function boxState(box: Box): Promise<BoxState> {
  await eventually(async () => (await box.sh('ip -6 address show tentative')) === '', {
    what: "the box's own addresses",
  });
  return {
    ...(await stateByCommands((script) => box.sh(script))),
    processes: processesOf(box).map((process) => process.commandLine),
    mounts: mountPoints(await readFile(box.path('/proc/1/mountinfo'), 'utf8')),
    files: files(box),
  };
}

/** The same of a whole machine, which is asked for everything; what a tool would show that is not there is left out. */
export async function machineState(sh: Shell): Promise<BoxState> {
  return {
    ...(await stateByCommands(sh)),
    processes: lines(await sh(processLines)),
    mounts: mountPoints(await sh('cat /proc/1/mountinfo')),
    files: lines(await sh(fileLines)).filter((line) => !changesByItself.test(line)),
    modules: lines(await sh("cut -d ' ' -f 1 /proc/modules | sort")),
  };
}

/** Runs a shell's text. @returns stdout */
type Shell = (script: string) => Promise<string>;

/** One command after the other: a machine's channel carries one at a time. */
async function stateByCommands(sh: Shell): Promise<BoxState> {
  const inside = async (script: string) => lines(await sh(script));
  return {
    links: await inside("ip -o link | sed 's/^[0-9]*: //; s/[@:] .*//; s/@.*//'"),
    addresses: (await inside("ip -o address | awk '{print $2, $4}'")).map(withoutLinkLocal),
    routes: (await inside('ip route show table all; ip -6 route show table all')).map(withoutLinkLocal),
    rules: await inside('ip rule; ip -6 rule'),
    nft: withoutCounters(await inside('if command -v nft >/dev/null; then nft list ruleset; fi')),
    iptables: withoutIdleChains(await inside(saveAllFlavours)),
    sets: await inside('ipset list -n 2>/dev/null || true'),
    virtualServers: await inside('cat /proc/net/ip_vs 2>/dev/null | tail -n +4'),
    cgroups: await inside('find /sys/fs/cgroup -type d'),
    sockets: (await inside("ss -Hlntu | awk '{print $1, $5}'; ss -Hlx | awk '{print $1, $5}'")).map((line) =>
      line.trim(),
    ),
    sysctls: settings(await inside(settingsBelow('net'))),
    machineSysctls: await inside(
      settingsBelow('vm/overcommit_memory vm/panic_on_oom kernel/panic* kernel/keys fs/inotify'),
    ),
    units: await inside(unitLines),
  };
}

/** As sysctl prints them, without sysctl: `net.ipv4.ip_forward = 1`. */
const settingsBelow = (paths: string) =>
  `cd /proc/sys && grep -rs . ${paths} | awk '{ at = index($0, ":"); name = substr($0, 1, at - 1); gsub("/", ".", name)
    print name " = " substr($0, at + 1) }'`;

/** What systemd knows and in which state, where it is the first process. */
const unitLines = `[ ! -d /run/systemd/system ] ||
  systemctl list-units --all --plain --no-legend --type=service,slice,scope,socket,mount,timer | awk '{print $1, $2, $3, $4}'`;

/** Command lines of all but kernel threads and this command's own. */
const processLines = `for dir in /proc/[0-9]*; do
  [ "$(readlink "$dir/exe")" = "$(readlink /proc/$$/exe)" ] || tr '\\0' ' ' <"$dir/cmdline" 2>/dev/null | grep .
done; true`;

/** Path, kind, mode, owner, size of every file on disks and in /run; of what is in /etc also the content. */
const fileLines = `find / /run -xdev \\( -type d -printf '%p folder %m %U:%G\\n' -o -printf '%p %y %m %U:%G %s %l\\n' \\)
find /etc -xdev -type f -exec sha256sum {} +`;

/** What a machine that is only up writes: logs, the clock's file, systemd's notes of what runs, ldconfig's own cache. */
const changesByItself =
  /^\/(var\/cache\/ldconfig|var\/log\/(journal|wtmp|lastlog|btmp)|var\/lib\/(systemd|private)|run\/(systemd|udev|log|user|utmp|credentials)|tmp|root)\b/;

/**
 * What is in one and not in the other, by kind: `+` came, `-` went. `except`: kinds that the machine's other hosts change
 * as well, as the kernel has one of them for all.
 */
export function differences(before: BoxState, after: BoxState, except: readonly string[] = []): BoxState {
  const changed = Object.keys(before).map((kind) => {
    const [old, now] = [new Set(before[kind]), new Set(after[kind])];
    const came = [...now].filter((line) => !old.has(line)).map((line) => `+ ${line}`);
    const went = [...old].filter((line) => !now.has(line)).map((line) => `- ${line}`);
    return [kind, [...went, ...came]] as const;
  });
  return Object.fromEntries(changed.filter(([kind, list]) => list.length > 0 && !except.includes(kind)));
}

/** A cable of the lab has another one after each boot. */
function withoutLinkLocal(line: string): string {
  return line.replaceAll(/fe80::[0-9a-f:]+/g, 'fe80::*');
}

/** `/var/lib/kubelet/pods/…/token tmpfs`: without the numbers that differ at each mount. */
function mountPoints(mountinfo: string): readonly string[] {
  return lines(mountinfo).map((line) => {
    const [left = '', right = ''] = line.split(' - ');
    return `${left.split(' ')[4]} ${right.split(' ')[0]}`;
  });
}

const saveAllFlavours = `for flavour in legacy nft; do for family in ip ip6; do
  command -v \${family}tables-$flavour-save >/dev/null || continue
  \${family}tables-$flavour-save 2>/dev/null | sed -n "s/^[*:-].*/\${family}tables-$flavour &/p"
done; done`;

/** A legacy table, once looked at, stays as long as its namespace: what counts is a rule, a chain of ours, a policy. */
function withoutIdleChains(saved: readonly string[]): readonly string[] {
  return saved.filter((line) => !/ \*\w+$| :[A-Z]+ ACCEPT /.test(line)).map((line) => line.replace(/\[\d+:\d+\]/, ''));
}

function withoutCounters(ruleset: readonly string[]): readonly string[] {
  return ruleset.map((line) => line.replaceAll(/packets \d+ bytes \d+/g, 'packets 0 bytes 0'));
}

/** Counts and secrets that the kernel makes anew are no settings. */
const volatile = /conntrack_count|\.stable_secret|tcp_fastopen_key|nf_conntrack_buckets|nf_log_all_netns/;

/** Of a link that came they came with it: the link is named already. */
const ofOtherLinks = /^net\.ipv[46]\.(conf|neigh)\.(?!(all|default|lo|eth0)\.)/;

function settings(all: readonly string[]): readonly string[] {
  return all.filter((line) => !volatile.test(line) && !ofOtherLinks.test(line));
}

/** What a person made by using the box, not kagent: kubectl's and Go's caches, and what the tests put into /tmp. */
const notOurs = /^\/(root$|root\/\.kube|tmp\/manifest-)|^\/root\/\.config(\/go.*)?$/;

/** Everything written since the box was made: its upper layer, the disks mounted into it, and /run. */
function files(box: Box): readonly string[] {
  const upper = filesBelow(join(box.host.dir, 'upper'), '').filter(
    // Opened for writing, or a folder that something was written into: the overlay copies it, though nothing changed.
    ([path, what]) => what !== describe(path),
  );
  const others = [...filesBelow(join(box.host.dir, 'disk'), ''), ...filesBelow(box.path('/run'), '/run')];
  return [...upper, ...others].filter(([path]) => !notOurs.test(path)).map(([path, what]) => `${path} ${what}`);
}

function filesBelow(dir: string, mountedAt: string): readonly (readonly [string, string])[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const [real, seen] = [join(dir, entry.name), `${mountedAt}/${entry.name}`];
    const what = describe(real);
    if (what === undefined) return []; // it went meanwhile
    return [[seen, what] as const, ...(entry.isDirectory() ? filesBelow(real, seen) : [])];
  });
}

/** `file 644 0:0 12 <sha256>`; undefined where there is nothing. */
function describe(path: string): string | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  const owner = `${(stat.mode & 0o7777).toString(8)} ${stat.uid}:${stat.gid}`;
  if (stat.isSymbolicLink()) return `link to ${readlinkSync(path)}`;
  if (!stat.isFile()) return `${kindOf(stat)} ${owner}`;
  return `file ${owner} ${stat.size} ${createHash('sha256').update(readFileSync(path)).digest('hex').slice(0, 16)}`;
}

function kindOf(stat: Stats): string {
  if (stat.isDirectory()) return 'folder';
  if (stat.isCharacterDevice()) return stat.rdev === 0 ? 'deleted' : 'device';
  return stat.isSocket() ? 'socket' : 'special';
}
