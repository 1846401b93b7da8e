/** What `nft -j list ruleset` of nft 1.0.6 prints. */
interface ChainOptions {
  readonly hook: 'input' | 'forward';
  readonly family?: string;
  readonly table?: string;
  readonly chain?: string;
  readonly policy?: 'accept' | 'drop';
  /** Of each rule its conditions. */
  readonly accepting: readonly (readonly Condition[])[];
  readonly jumps?: boolean;
  readonly rejectsRest?: boolean;
}

type Condition = { readonly right: unknown } & (
  | { readonly ct: string }
  | { readonly meta: string }
  | { readonly payload: string }
);

export function rulesetOf(options: ChainOptions): string {
  const { hook, family = 'inet', table = 'filter', chain = hook, policy = 'drop', accepting } = options;
  const rule = (...expr: readonly object[]) => ({ rule: { family, table, chain, handle: 1, expr } });
  return JSON.stringify({
    nftables: [
      { metainfo: { version: '1.0.6', json_schema_version: 1 } },
      { table: { family, name: table, handle: 1 } },
      { chain: { family, table, name: chain, handle: 1, type: 'filter', hook, prio: 0, policy } },
      ...accepting.map((conditions) => rule(...conditions.map(matchOf), { accept: null })),
      ...(options.jumps === true ? [rule({ jump: { target: 'mine' } })] : []),
      ...(options.rejectsRest === true ? [rule({ reject: { type: 'icmpx', expr: 'admin-prohibited' } })] : []),
    ],
  });
}

function matchOf(condition: Condition): object {
  const { right } = condition;
  if ('payload' in condition) {
    const [protocol, field] = condition.payload.split(' ');
    return { match: { op: '==', left: { payload: { protocol, field } }, right } };
  }
  const left = 'ct' in condition ? { ct: { key: condition.ct } } : { meta: { key: condition.meta } };
  return { match: { op: '==', left, right } };
}
