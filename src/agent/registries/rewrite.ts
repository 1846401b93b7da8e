/**
 * Rewrites of repository names, with the results of Go's `regexp`, in which k3s's registries.yaml is written.
 * The patterns are RE2's, so none takes longer than its text is long. Spec: Go 1.26 `regexp`, ReplaceAllString and Expand.
 */
import type { RE2JS } from 're2js';

/** The first that changes a name counts. */
export interface Rewrite {
  /** @param repository as in image names: `library/nginx` */
  apply(repository: string): string;
}

/**
 * @param replacement Go's template: `$1`, `${1}`, `${name}`, `$$`; a group that is not there is nothing
 * @throws {Error} in Go's words, for a pattern that Go does not know
 */
export async function compileRewrite(pattern: string, replacement: string): Promise<Rewrite> {
  const { RE2JS } = await import('re2js'); // most nodes rewrite nothing
  const regexp = RE2JS.compile(pattern);
  return { apply: (repository) => replaceAll(regexp, repository, replacement) };
}

function replaceAll(regexp: RE2JS, text: string, template: string): string {
  const matcher = regexp.matcher(text);
  const names = regexp.namedGroups();
  let result = '';
  let end = 0;
  for (let from = 0; from <= text.length && matcher.find(from);) {
    result += text.slice(end, matcher.start());
    // What is empty just behind another match is none.
    if (matcher.end() > end || matcher.start() === 0)
      result += expand(template, (group) => {
        const index = /^(0|[1-9]\d*)$/.test(group) ? Number(group) : (names[group] ?? Infinity);
        return index <= matcher.groupCount() ? (matcher.group(index) ?? '') : '';
      });
    end = matcher.end();
    from = Math.max(end, from + characterLength(text, from));
  }
  return result + text.slice(end);
}

/** A `$` without a name behind it is a `$`; names are as long as they can be, so `$1y` is the group `1y`. */
function expand(template: string, valueOf: (group: string) => string): string {
  return template.replaceAll(
    /\$(?:(\$)|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))?/gu,
    (_, dollar?: string, braced?: string, bare?: string) => {
      const group = braced ?? bare;
      return dollar !== undefined || group === undefined ? '$' : valueOf(group);
    },
  );
}

function characterLength(text: string, at: number): number {
  return (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
}
