/** Chains of kube-proxy and the kubelet, of the CNI plugins, and of flannel. */
const ourChain = /^(KUBE|CNI|FLANNEL)-/;

/** Rules in others' chains that the CNI plugins or flannel add without a chain of their own. */
const ourComment = /--comment "?(flanneld|cni|kagent)\b/i;

/**
 * The text of `iptables-save` without our chains, their rules and the jumps to them, to be given to `iptables-restore`.
 * @returns undefined if nothing in it is ours
 */
export function withoutOurRules(saved: string): string | undefined {
  const lines = saved.split('\n');
  const kept = lines.filter((line) => !isOurs(line));
  return kept.length === lines.length ? undefined : kept.join('\n');
}

function isOurs(line: string): boolean {
  if (line.startsWith(':')) return ourChain.test(line.slice(1));
  const rule = /^-A (\S+)/.exec(line);
  if (rule === null) return false;
  const target = / -[jg] (\S+)/.exec(line)?.[1] ?? '';
  return ourChain.test(rule[1] ?? '') || ourChain.test(target) || ourComment.test(line);
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
