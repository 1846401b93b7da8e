/** Chains of kube-proxy and the kubelet, of the CNI plugins, and of flannel. */
const ourChain = /^(KUBE|CNI|FLANNEL)-/;

/** Has one rule, which keeps neighbours of this box out of 127.0.0.0/8 while `route_localnet` would let them in. */
export const loopbackGuard = 'KUBE-FIREWALL';

/** Rules in others' chains that the CNI plugins or flannel add without a chain of their own. */
const ourComment = /--comment "?(flanneld|cni|kagent)\b/i;

/**
 * The text of `iptables-save` without our chains, their rules and the jumps to them, to be given to `iptables-restore`.
 * @param keptChains stay, with what jumps to them
 * @returns undefined if nothing in it is to go
 */
export function withoutOurRules(saved: string, keptChains: readonly string[] = []): string | undefined {
  const lines = saved.split('\n');
  const goes = (chain: string) => ourChain.test(chain) && !keptChains.includes(chain);
  const kept = lines.filter((line) => !isOurs(line, goes));
  return kept.length === lines.length ? undefined : kept.join('\n');
}

function isOurs(line: string, goes: (chain: string) => boolean): boolean {
  if (line.startsWith(':')) return goes(/^:(\S*)/.exec(line)?.[1] ?? '');
  const rule = /^-A (\S+)/.exec(line);
  if (rule === null) return false;
  const target = / -[jg] (\S+)/.exec(line)?.[1] ?? '';
  return goes(rule[1] ?? '') || goes(target) || ourComment.test(line);
}

export interface IdleChains {
  readonly table: string;
  /** Built-in ones with the policy ACCEPT and no rule. */
  readonly chains: readonly string[];
  /** There is nothing else in the table. */
  readonly isIdle: boolean;
}

/** What of an `iptables-save` does nothing. */
export function idleChains(saved: string): readonly IdleChains[] {
  return saved
    .split(/^\*/m)
    .slice(1)
    .map((section) => {
      const [table = '', ...lines] = section.split('\n');
      const all = lines.filter((line) => line.startsWith(':')).map((line) => line.slice(1).split(' '));
      const chains = all
        .filter(([name = '', policy]) => policy === 'ACCEPT' && !lines.some((line) => line.startsWith(`-A ${name} `)))
        .map(([name = '']) => name);
      return { table, chains, isIdle: chains.length === all.length };
    });
}
