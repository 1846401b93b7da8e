/** What kagent passes to a Kubernetes program: flag name without dashes → value. */
export type Flags = Readonly<Record<string, string>>;

/** Flags whose values are lists of settings: the operator's are added to ours and win one by one. */
const additive = new Set(['feature-gates', 'runtime-config']);

/**
 * The command line: ours, then the operator's `name=value` in place of ours of the same name. A name given twice is
 * passed twice, which is how these programs take lists; a name without a value means `true`.
 */
export function commandLine(ours: Flags, extra: readonly string[]): readonly string[] {
  const theirs = extra.map(toFlag);
  const replaced = new Set(theirs.map(([name]) => name).filter((name) => !additive.has(name)));
  const kept = Object.entries(ours).filter(([name]) => !replaced.has(name));
  return [...kept, ...theirs].map(([name, value]) => `--${name}=${value}`);
}

function toFlag(text: string): readonly [string, string] {
  const bare = text.replace(/^-+/, '');
  const at = bare.indexOf('=');
  return at < 0 ? [bare, 'true'] : [bare.slice(0, at), bare.slice(at + 1)];
}
