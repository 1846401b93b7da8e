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

/** The tables of an `iptables-save` that do nothing: built-in chains with the policy ACCEPT, and no rule. */
export function emptyTables(saved: string): readonly string[] {
  return saved
    .split(/^\*/m)
    .slice(1)
    .flatMap((section) => {
      const [name = '', ...lines] = section.split('\n');
      const isIdle = (line: string) => /^(:[A-Z]+ ACCEPT |COMMIT$|#|$)/.test(line);
      return lines.every(isIdle) ? [name] : [];
    });
}
