/** Takes secrets out of texts: those that are known, wherever they stand, and what looks like one. */
const gone = '[redacted]';

/** Keys whose value is for nobody's eyes; `token-file` and `key_file` are names of files. */
const secretKey =
  /(token|password|passwd|passphrase|secret|credential|authorization|api[-_]?key|private[-_]?key|key[-_]data)s?$/i;
/** Below these, everything: `auth: {username: …}` in registries.yaml. */
const secretFolder = /^(auth|auths|headers?)$/i;
/** A shorter text stands in too many other places. */
const shortest = 5;

/** The same data with texts in the place of secrets, and the secrets. */
export interface Redacted {
  readonly value: unknown;
  readonly secrets: readonly string[];
}

/** Of parsed YAML or JSON. */
export function redactData(value: unknown): Redacted {
  const secrets: string[] = [];
  const walk = (one: unknown, isSecret: boolean): unknown => {
    if (Array.isArray(one)) return one.map((item) => walk(item, isSecret));
    if (typeof one === 'object' && one !== null) {
      return Object.fromEntries(
        Object.entries(one).map(([key, inner]) => [
          key,
          walk(inner, isSecret || secretKey.test(key.replace(/\+$/, '')) || secretFolder.test(key)),
        ]),
      );
    }
    if (typeof one !== 'string' && typeof one !== 'number') return one;
    const text = String(one);
    if (isSecret) {
      secrets.push(text);
      return gone;
    }
    // `flag=value`, as arguments of components are written.
    const [, flag = '', rest = ''] = /^([^=\s]+)=(.*)$/s.exec(text) ?? [];
    if (!secretKey.test(flag)) return one;
    secrets.push(rest);
    return `${flag}=${gone}`;
  };
  return { value: walk(value, false), secrets };
}

/** Of `NAME=value` lines, as environment files have them. */
export function redactEnvironment(text: string): { readonly text: string; readonly secrets: readonly string[] } {
  const secrets: string[] = [];
  const lines = text.split('\n').map((line) => {
    const [, name = '', value = ''] = /^\s*(?:export\s+)?(\w+)=(.*)$/.exec(line) ?? [];
    if (!secretKey.test(name) || value === '') return line;
    secrets.push(value.replaceAll(/^["']|["']$/g, ''));
    return `${name}=${gone}`;
  });
  return { text: lines.join('\n'), secrets };
}

/**
 * Logs of many megabytes go through these, and pods write into logs what they like: none may look at a text's rest from each
 * of its places. So nothing repeated stands before what is looked for, and what was there before is in a lookbehind of
 * bounded length.
 */
const patterns: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, gone],
  [/\bK10[0-9a-f]{64}::\S+/g, gone], // a join token
  [/\b[a-z0-9]{6}\.[a-z0-9]{16}\b/g, gone], // a bootstrap token
  [/\b(Bearer|Basic) +[\w+/.=~-]{8,}/gi, `$1 ${gone}`],
  [/(\/\/[^\s/:@]*:)[^\s/@]+@/g, `$1${gone}@`], // https://user:password@host
  [/(?<=--[\w-]{0,100})((?:token|password|secret)["']?(?:\s+|=)["']?)(?!-)[^\s"']+/gi, `$1${gone}`],
  [/(\b(?:client-)?key-data["']?\s*[:=]\s*["']?)[\w+/=]+/g, `$1${gone}`],
  [/((?:password|passwd|passphrase|authorization)["']?\s*[:=]\s*["']?)[^\s"',;}]+/gi, `$1${gone}`],
  [/((?:token|secret)["']?[:=]["']?)[^\s"',;}/]{8,}/gi, `$1${gone}`],
];

/** A service account's: three parts of base64url, the first with the beginning of JSON, `{"`. */
function withoutJwts(text: string): string {
  return text.replaceAll(/[\w.-]{25,}/g, (run) => {
    const parts = run.split('.');
    const kept: string[] = [];
    for (let index = 0; index < parts.length; index += 1) {
      const [first = '', second = '', third] = parts.slice(index, index + 3);
      const at = first.search(/\beyJ/);
      const isJwt = third !== undefined && at >= 0 && first.length - at >= 13 && second.length >= 10;
      kept.push(isJwt ? `${first.slice(0, at)}${gone}` : first);
      if (isJwt) index += 2;
    }
    return kept.join('.');
  });
}

export interface Redactor {
  clean(text: string): string;
}

/** @param known texts that must not come through, nor their base64 */
export function createRedactor(known: readonly string[]): Redactor {
  const parts = known.flatMap((secret) => {
    const text = secret.trim();
    return [
      text,
      ...text.split('::').slice(1),
      ...text
        .split('::')
        .slice(1)
        .flatMap((one) => one.split(':').slice(1)),
    ];
  });
  const usable = parts.filter((secret) => secret.length >= shortest);
  const forms = usable.flatMap((secret) => [secret, Buffer.from(secret).toString('base64')]);
  const longestFirst = [...new Set(forms)].toSorted((a, b) => b.length - a.length);
  return {
    clean(text) {
      let cleaned = text;
      for (const secret of longestFirst) cleaned = cleaned.replaceAll(secret, gone);
      cleaned = withoutJwts(cleaned);
      for (const [pattern, by] of patterns) cleaned = cleaned.replace(pattern, by);
      return cleaned;
    },
  };
}
