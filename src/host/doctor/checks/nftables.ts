/** Rules that were written for nft itself. iptables shows none of them, and what one of them drops no other rule brings back. */
import { isIPv4 } from 'node:net';
import * as z from 'zod';
import { overlaps } from '../../../shared/ipv4/ipv4.ts';
import { fine, notLooked, warning } from '../check.ts';
import type { ExaminedHost, Check, Fault } from '../check.ts';
import { inboundPorts } from './firewall.ts';
import type { Port } from './firewall.ts';

/** @see libnftables-json(5) */
const Chain = z.object({
  family: z.string(),
  table: z.string(),
  name: z.string(),
  type: z.string().optional(),
  hook: z.string().optional(),
  policy: z.string().optional(),
});
const Rule = z.object({
  family: z.string(),
  table: z.string(),
  chain: z.string(),
  expr: z.array(z.record(z.string(), z.unknown())),
});
const Ruleset = z.object({ nftables: z.array(z.object({ chain: Chain.optional(), rule: Rule.optional() })) });
type Chain = z.infer<typeof Chain>;
type Expressions = z.infer<typeof Rule>['expr'];

/** iptables' own are seen through iptables, firewalld's through firewalld. */
const othersTable = /^(firewalld|filter|nat|mangle|raw|security)$/;
const iptablesChain = /^(INPUT|FORWARD|OUTPUT|PREROUTING|POSTROUTING)$/;

export const nftablesCheck: Check = {
  name: 'nftables',
  group: 'Firewall',
  title: 'rules made with nft let the cluster through',
  why: 'what such a rule drops no other rule brings back: nodes do not join, and pods reach neither each other nor the API',
  fix: 'add rules that accept it to the chains that drop it, and to /etc/nftables.conf, which is read at boot',
  forNodes: true,
  async look(host) {
    const { code, stdout } = await host.tools.run('nft', '-j', 'list', 'ruleset');
    if (code !== 0) return notLooked('there is no nft that shows them');
    const dropping = droppingChains(stdout);
    const readable = dropping.filter(({ rules }) => !continuesElsewhere(rules));
    const faults = readable.flatMap(({ chain, rules }) => missingIn(host, chain, rules));
    return faults.length === 0 && readable.length < dropping.length
      ? notLooked('they continue in chains of somebody’s own')
      : faults;
  },
};

interface Dropping {
  readonly chain: Chain;
  readonly rules: readonly Expressions[];
}

/** Chains that are asked for packets to this host or through it, and drop what none of their rules accepts. */
function droppingChains(json: string): readonly Dropping[] {
  const entries = Ruleset.parse(JSON.parse(json)).nftables;
  const rules = entries.flatMap(({ rule }) => rule ?? []);
  return entries.flatMap(({ chain }) => {
    if (chain?.type !== 'filter' || !['input', 'forward'].includes(chain.hook ?? '')) return [];
    if (!['inet', 'ip'].includes(chain.family)) return [];
    if (othersTable.test(chain.table) && (iptablesChain.test(chain.name) || chain.table === 'firewalld')) return [];
    const own = rules.filter(
      (rule) => rule.family === chain.family && rule.table === chain.table && rule.chain === chain.name,
    );
    const expressions = own.map(({ expr }) => expr);
    const endsInDrop = expressions.some((expr) => matchesOf(expr).length === 0 && refuses(expr));
    return chain.policy === 'drop' || endsInDrop ? [{ chain, rules: expressions }] : [];
  });
}

/** Of these nothing can be said. */
function continuesElsewhere(rules: readonly Expressions[]): boolean {
  return rules.some((expr) => expr.some((one) => 'jump' in one || 'goto' in one || 'vmap' in one));
}

function missingIn(host: ExaminedHost, chain: Chain, rules: readonly Expressions[]): readonly Fault[] {
  const accepting = rules.filter((expr) => expr.some((one) => 'accept' in one)).map(matchesOf);
  const place = `${chain.family} ${chain.table} ${chain.name}`;
  const add = (conditions: readonly string[]) =>
    conditions.map((condition) => `nft insert rule ${place} ${condition} accept`).join(' && ');
  const report = (what: string, conditions: readonly string[]) =>
    warning(
      `the nft chain ${place} drops ${what}`,
      `${add(conditions)}; and the same in /etc/nftables.conf, which is read at boot`,
    );
  if (chain.hook === 'input') {
    const closed = inboundPorts(host).filter((port) => !accepting.some((matches) => letsIn(matches, port)));
    if (closed.length === 0) return fine;
    return report(
      closed.map((port) => port.join('/')).join(', '),
      closed.map(([port, protocol]) => `${protocol} dport ${port}`),
    );
  }
  const sides = (['saddr', 'daddr'] as const).filter(
    (side) => !accepting.some((matches) => letsThrough(matches, side, host.clusterCidr)),
  );
  if (sides.length === 0) return fine;
  return report(
    `what pods send and get (${host.clusterCidr})`,
    sides.map((side) => `ip ${side} ${host.clusterCidr}`),
  );
}

function refuses(expr: Expressions): boolean {
  return expr.some((one) => 'drop' in one || 'reject' in one);
}

interface Match {
  /** `tcp dport`, `ip saddr`, `meta iifname`, `ct state` */
  readonly left: string;
  readonly right: unknown;
}

const Payload = z.object({ payload: z.object({ protocol: z.string(), field: z.string() }) });
const Keyed = z.record(z.string(), z.object({ key: z.string() }));

function matchesOf(expr: Expressions): readonly Match[] {
  return expr.flatMap((one) => {
    const match = z.object({ left: z.unknown(), right: z.unknown() }).safeParse(one['match']);
    return match.success ? [{ left: nameOf(match.data.left), right: match.data.right }] : [];
  });
}

function nameOf(left: unknown): string {
  const payload = Payload.safeParse(left);
  if (payload.success) return `${payload.data.payload.protocol} ${payload.data.payload.field}`;
  const keyed = Keyed.safeParse(left);
  if (!keyed.success) return 'unknown';
  return Object.entries(keyed.data).map(([kind, { key }]) => `${kind} ${key}`)[0] ?? 'unknown';
}

/** Which card and which neighbour is its owner's choice: other nodes may be there. */
const ownersChoice = /^(meta (iifname|protocol|nfproto)|ip saddr)$/;

function letsIn(matches: readonly Match[], [port, protocol]: Port): boolean {
  return matches.every(({ left, right }) => {
    if (/^(meta iif|meta iifname)$/.test(left) && right === 'lo') return false;
    if (/^(meta l4proto|ip protocol)$/.test(left)) return holdsName(right, protocol);
    if (left === `${protocol} dport` || left === 'th dport') return holdsPort(right, port);
    return ownersChoice.test(left);
  });
}

function holdsName(right: unknown, name: string): boolean {
  const many = z.object({ set: z.array(z.unknown()) }).safeParse(right);
  return many.success ? many.data.set.includes(name) : right === name;
}

function letsThrough(matches: readonly Match[], side: 'saddr' | 'daddr', cidr: string): boolean {
  const device = side === 'saddr' ? 'meta iifname' : 'meta oifname';
  return matches.every(({ left, right }) => {
    if (left === `ip ${side}`) return holdsRange(right, cidr);
    return left === device && /^cni0$|^cni\*$/.test(String(right));
  });
}

/** A number, a range, a set of these; the name of a set, whose content is not asked for, is taken to hold it. */
function holdsPort(right: unknown, port: number): boolean {
  if (typeof right === 'number') return right === port;
  if (typeof right === 'string') return right.startsWith('@');
  const many = z.object({ set: z.array(z.unknown()) }).safeParse(right);
  if (many.success) return many.data.set.some((one) => holdsPort(one, port));
  const range = z.object({ range: z.tuple([z.number(), z.number()]) }).safeParse(right);
  return range.success && port >= range.data.range[0] && port <= range.data.range[1];
}

function holdsRange(right: unknown, cidr: string): boolean {
  if (typeof right === 'string') return right.startsWith('@') || (isIPv4(right) && overlaps(`${right}/32`, cidr));
  const many = z.object({ set: z.array(z.unknown()) }).safeParse(right);
  if (many.success) return many.data.set.some((one) => holdsRange(one, cidr));
  const prefix = z.object({ prefix: z.object({ addr: z.string(), len: z.number() }) }).safeParse(right);
  return prefix.success && overlaps(`${prefix.data.prefix.addr}/${prefix.data.prefix.len}`, cidr);
}
