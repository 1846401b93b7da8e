/** Rewrites of registries.yaml, for comparing what kagent makes of them with what Go does. */
import fc from 'fast-check';

/** What Go's `ReplaceAllString` gives; a test asks Go whether it does. */
export const rewriteTable: readonly (readonly [
  pattern: string,
  replacement: string,
  repository: string,
  result: string,
])[] = [
  ['^rancher/(.*)', 'mirror/rancher-images/$1', 'rancher/k3s', 'mirror/rancher-images/k3s'],
  ['(.*)', 'hub/$1', 'library/nginx', 'hub/library/nginx'],
  ['(.*)', 'hub/$0', 'library/nginx', 'hub/library/nginx'],
  ['.*', 'hub/${0}', 'library/nginx', 'hub/library/nginx'],
  ['(?i)^LIBRARY/(.*)', 'hub/$1', 'library/nginx', 'hub/nginx'],
  ['^(?P<team>[^/]+)/(?P<name>.*)$', '${name}-of-$team', 'library/nginx', 'nginx-of-library'],
  ['^(?<team>[^/]+)/', '$team.', 'library/nginx', 'library.nginx'],
  ['[[:alnum:]]+$', 'x', 'library/nginx', 'library/x'],
  ['[[:^alnum:]]', '-', 'a/b.c_d', 'a-b-c-d'],
  ['^library/', '', 'library/nginx', 'nginx'],
  ['^', 'hub/', 'library/nginx', 'hub/library/nginx'],
  ['$', '/x', 'library/nginx', 'library/nginx/x'],
  ['a*', 'x', 'baaac', 'xbxcx'],
  ['', '-', 'abc', '-a-b-c-'],
  ['^(.*)/(.*)$', '$1_$2', 'a/b', 'b'], // `$1_` is a group of that name, and is not there
  ['^(.*)/(.*)$', '${1}_$2', 'a/b', 'a_b'],
  ['^(.*)$', '$1y', 'a', ''],
  ['(a)|(b)', '[$1$2]', 'ab', '[a][b]'],
  ['a', '$$1', 'a', '$1'],
  ['a', '$', 'a', '$'],
  ['a', '$/${', 'a', '$/${'],
  ['a', '${x', 'a', '${x'],
  ['(a)', '$01', 'a', ''],
  ['(?P<01>a)', '<$01>', 'a', '<a>'],
  ['(a)', '$&$<1>\\1', 'a', '$&$<1>\\1'],
  ['(a)', '$2', 'a', ''],
  ['(?U)a+', 'x', 'aaa', 'xxx'],
  ['(?s)^.+$', 'x', 'a/b', 'x'],
  ['(?i:LIB)rary', 'x', 'library', 'x'],
  ['\\Aa\\z', 'x', 'a', 'x'],
  ['\\Qa.b\\E', 'x', 'a.b/acb', 'x/acb'],
  ['\\x{61}\\x62', 'x', 'abc', 'xc'],
  ['\\pL+', 'x', 'a1b', 'x1x'],
  ['\\bnginx\\b', 'x', 'nginx/nginx-ingress', 'x/x-ingress'],
  ['a|ab', 'x', 'ab', 'xb'],
  ['(a{2,3}?)', '<$1>', 'aaaa', '<aa><aa>'],
];

/** Which Go does not know. */
export const refusedPatterns = [
  '(',
  'a**',
  'a{1001}',
  '(?=a)',
  '(?!a)',
  '(?<=a)b',
  '(?<!a)b',
  '(?>a)',
  '(a)\\1',
  '\\Z',
  '[b-a]',
  '[[:nonsense:]]',
  '\\pX',
  '(?x)a',
];

/** Which Go knows and kagent refuses: rather a sentence at start than another result. */
export const unknownPatterns = ['(?P<a>x)(?P<a>y)', '\\p{Letter}'];

const atom = fc.oneof(
  {
    weight: 60,
    arbitrary: fc.constantFrom(
      ...'a b c l / . - ^ $ \\b \\B \\A \\z . \\d \\w \\s \\S [a-c] [^/] [[:alpha:]] [[:^digit:]] \\pL \\. \\x61 a\\.b'.split(
        ' ',
      ),
      ...'library nginx \\Qa.b\\E []a] [^]a] [a\\-c] [[:word:]/] (?i)a (?s-i). (?m)^'.split(' '),
    ),
  },
  { weight: 1, arbitrary: fc.constantFrom('', '(', ')', '[', '(?i)') },
);
const quantifier = fc.oneof(
  { weight: 60, arbitrary: fc.constantFrom('', '', '', '*', '+', '?', '*?', '+?', '??', '{2}', '{1,}', '{0,2}?') },
  { weight: 1, arbitrary: fc.constantFrom('**', '{2,1}', '{', '{,2}') },
);
const { pattern } = fc.letrec<{ pattern: string; part: string }>((tie) => ({
  part: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.tuple(atom, quantifier).map((all) => all.join('')),
    fc
      .tuple(
        fc.constantFrom('(', '(', '(', '(?:', '(?:', '(?i:', '(?U:', '(?-s:', '(?P<n>', '(?<m>'),
        tie('pattern'),
        fc.constant(')'),
        quantifier,
      )
      .map((all) => all.join('')),
  ),
  pattern: fc
    .tuple(fc.array(tie('part'), { minLength: 1, maxLength: 4 }), fc.constantFrom('', '', '|'), tie('part'))
    .map(([parts, bar, last]) => parts.join('') + (bar === '' ? '' : bar + last)),
}));
const replacement = fc
  .array(fc.constantFrom('x', '/', '$0', '$1', '${1}', '$2', '$n', '${n}', '${m}', '$$', '$', '${', '}', '_', '$1x'), {
    maxLength: 4,
  })
  .map((parts) => parts.join(''));
const repository = fc.oneof(
  fc.stringMatching(/^[abcl./-]{0,8}$/),
  fc.constantFrom('library/nginx', 'a.b/abc', 'AaBb/cc', 'é/ß', '😀a/b', 'a\nb'),
);

export const anyRewrite = fc.tuple(pattern, replacement, repository);
