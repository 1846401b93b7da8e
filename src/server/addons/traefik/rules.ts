/** What Traefik 2 understood in an IngressRoute and Traefik 3 does not. Traefik itself says so in its log alone. */
import type { KubeObject } from '../../../kube/kube.ts';

export interface IngressRouteObject extends KubeObject {
  readonly spec?: {
    readonly routes?: readonly { readonly match?: string; readonly syntax?: string }[];
  };
}

/** Names that have changed, with their names in Traefik 3. */
const renamed: Readonly<Record<string, string>> = {
  Headers: 'Header',
  HeadersRegexp: 'HeaderRegexp',
  HostHeader: 'Host',
};
/** Matchers of one value each in Traefik 3. */
const ofOne: ReadonlySet<string> = new Set([
  'Host',
  'HostRegexp',
  'Path',
  'PathPrefix',
  'PathRegexp',
  'Method',
  'ClientIP',
]);
const matcher = /(\w+)\s*\(((?:\s*(?:`[^`]*`|"(?:[^"\\]|\\.)*")\s*,?)*)\)/g;
const argument = /`[^`]*`|"(?:[^"\\]|\\.)*"/g;

/** A sentence about the first rule that only Traefik 2 understands. */
export function oldSyntaxIn({ spec }: IngressRouteObject): string | undefined {
  for (const { match = '', syntax } of spec?.routes ?? []) {
    if (syntax === 'v2') continue; // asked for, and still understood
    const problem = problemOf(match);
    if (problem !== undefined)
      return `the rule ${match} is of Traefik 2: ${problem}; Traefik 3 serves no such route (or set "syntax: v2" at it)`;
  }
  return undefined;
}

function problemOf(rule: string): string | undefined {
  for (const [, name = '', text = ''] of rule.matchAll(matcher)) {
    const values = [...text.matchAll(argument)].map(([value]) => value.slice(1, -1));
    const now = renamed[name];
    if (now !== undefined) return `${name} is called ${now}`;
    if (ofOne.has(name) && values.length > 1)
      return `${name} takes one value, so write ${values.map((value) => `${name}(\`${value}\`)`).join(' || ')}`;
    if (name === 'Query' && values.length === 1 && values[0]?.includes('=') === true)
      return `Query takes a key and a value: ${values[0].replace(/^([^=]*)=(.*)$/, 'Query(`$1`, `$2`)')}`;
    const braces = values.find((value) => /\{[^}:]+:[^}]*\}/.test(value));
    if (braces !== undefined && name !== 'HeaderRegexp' && name !== 'QueryRegexp')
      return `${braces} is written as a regular expression alone, with HostRegexp or PathRegexp`;
  }
  return undefined;
}
