/**
 * @module
 * Secrets among the words of a command line. Every user of a box reads every process's arguments, in `/proc/PID/cmdline`.
 * Knows: the forms in which a flag has its value, what a token looks like. Leaves to others: which flags have secrets
 * (their schemas), where a secret goes instead.
 */

/** A flag after which a secret stands: `--token`, `-t`. */
export interface SecretFlag {
  readonly long: string;
  readonly short?: string | undefined;
}

/** What stands in a secret's place. */
const placeholder = '[redacted]';
/** Where a token is no flag's value: `kagent token delete K10…`. */
const tokenForm = /^(?:K10[0-9a-f]{64}::\S+|[a-z0-9]{6}\.[a-z0-9]{16})$/;

interface Found {
  /** Which word. */
  readonly index: number;
  /** Where in it the secret begins. */
  readonly offset: number;
  /** undefined: it is known by its form. */
  readonly flag: SecretFlag | undefined;
}

/** The words with `[redacted]` for each secret, and the secrets in their order. */
export function hideSecrets(args: readonly string[], flags: readonly SecretFlag[]) {
  const words = [...args];
  const secrets: string[] = [];
  for (const { index, offset } of find(args, flags)) {
    const word = args[index] ?? '';
    if (word.slice(offset) === placeholder) continue;
    secrets.push(word.slice(offset));
    words[index] = `${word.slice(0, offset)}${placeholder}`;
  }
  return { args: words, secrets } as const;
}

/** What `hideSecrets` was given. */
export function restoreSecrets(args: readonly string[], secrets: readonly string[]): readonly string[] {
  const left = [...secrets];
  return args.map((word) =>
    word.endsWith(placeholder) ? `${word.slice(0, -placeholder.length)}${left.shift() ?? placeholder}` : word,
  );
}

/** The words without flags that have a secret, and their values as the environment has them: `KAGENT_TOKEN`. */
export function takeSecrets(args: readonly string[], flags: readonly SecretFlag[]) {
  const env: Record<string, string> = {};
  const taken = new Set<number>();
  for (const { index, offset, flag } of find(args, flags)) {
    if (flag === undefined) continue;
    env[variableOf(flag.long)] = (args[index] ?? '').slice(offset);
    taken.add(index);
    if (offset === 0) taken.add(index - 1);
  }
  return { args: args.filter((_, index) => !taken.has(index)), env: env as Readonly<Record<string, string>> } as const;
}

/** `--agent-token` → `KAGENT_AGENT_TOKEN`, as a setting's variable is called. */
export function variableOf(long: string): string {
  return `KAGENT_${long.replace(/^--/, '').replaceAll('-', '_').toUpperCase()}`;
}

function find(args: readonly string[], flags: readonly SecretFlag[]): readonly Found[] {
  const found: Found[] = [];
  for (let index = 0; index < args.length; index += 1) {
    const word = args[index] ?? '';
    const flag = flags.find(({ long, short }) => word === long || word === short);
    const inWord = flags.map((one) => ({ flag: one, offset: valueOffset(word, one) })).find(({ offset }) => offset > 0);
    if (flag !== undefined && index + 1 < args.length) found.push({ index: (index += 1), offset: 0, flag });
    else if (inWord !== undefined) found.push({ index, ...inWord });
    else if (tokenForm.test(word)) found.push({ index, offset: 0, flag: undefined });
  }
  return found;
}

/** Of `--token=x` and `-tx`; 0 in other words. */
function valueOffset(word: string, { long, short }: SecretFlag): number {
  if (word.startsWith(`${long}=`)) return long.length + 1;
  return short !== undefined && word.startsWith(short) && word.length > short.length ? short.length : 0;
}
