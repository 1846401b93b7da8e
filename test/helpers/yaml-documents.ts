/** Manifests as people and programs write them, odd ones too, for comparing who reads them how. */
import fc from 'fast-check';

const matching = (pattern: RegExp) => fc.stringMatching(pattern);

const oddWords = `
~ null Null NULL nUll y Y n N yes No on OFF oFF true False TRUE
.inf -.inf +.INF .nan . - + .. .5 -.5 +.5 5. -5. 1.5e3 1e10 1E+400 .5e999 .1_0 ._1 .5_0e1_0
0 -0 +0 00 08 0644 0o640 0O7 -0o17 0b101 0B1 -0b1 0x1F 0X1f -0x1F 0x 0b 0o
1_000 _1 1_ 0x_1 1e1_0 1__0 12e4567 3.10 1.0 100000.5 1e21 1e-7 00112233445566
9223372036854775807 9223372036854775808 -9223372036854775808 -9223372036854775809 18446744073709551615
18446744073709551616 +9223372036854775808 1234567890123456789 0xFFFFFFFFFFFFFFFF 0x10000000000000000
2024-01-01 2024-1-1 2024-01-01T10:00:00Z 2024-13-45 12:30 1:30:00 190:20:30.15
1.2.3 10.0.0.1 1e e1 0.0.0 12e03 0x1.8p3 1,000 Infinity NaN 1n void ="x" a=b <<x
`
  .trim()
  .split(/\s+/);

/** Texts without quotes that might be a number, a date, a word with a meaning, or nothing of it. */
const plain = fc.oneof(
  fc.constantFrom('', '2024-01-01 10:00:00', ...oddWords),
  matching(/^[-+]?[0-9]{1,22}$/),
  matching(/^[-+]?[0-9_]{1,8}\.?[0-9_]{0,8}([eE][-+]?[0-9]{1,3})?$/),
  matching(/^[-+]?0[xXoObB][0-9a-fA-F_]{1,18}$/),
  matching(/^[-+]?0[0-9]{1,22}$/),
  matching(/^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ][0-9]{1,2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,3})?Z?)?$/),
  matching(/^[0-9]{1,3}(:[0-9]{2}){1,2}$/),
  matching(/^[A-Za-z.][A-Za-z0-9._+~-]{0,12}$/),
);

const text = fc.string({
  unit: fc.oneof(
    fc.constantFrom(...' |\'|"|\\|:|#|-|{|}|[|]|,|&|*|!|>|%|@|`|é|☃|😀'.split('|'), '|'),
    fc.string({ minLength: 1, maxLength: 1 }),
  ),
  maxLength: 12,
});
const quoted = fc.oneof(
  fc.oneof(text, plain).map((one) => JSON.stringify(one)),
  fc.oneof(text, plain).map((one) => `'${one.replaceAll("'", "''")}'`),
);
const tag = fc.constantFrom(
  '!!str',
  '!!int',
  '!!float',
  '!!bool',
  '!!null',
  '!!binary',
  '!!timestamp',
  '!own',
  '!!own',
);
const tagged = fc
  .tuple(tag, fc.oneof(plain, quoted, fc.base64String({ maxLength: 12 })))
  .map((parts) => parts.join(' '));
const scalar = fc.oneof(
  { weight: 6, arbitrary: plain },
  { weight: 2, arbitrary: quoted },
  { weight: 1, arbitrary: tagged },
);

const indent = (block: string) => block.replaceAll(/^(?=.)/gm, '  ');
const block = fc
  .tuple(
    fc.constantFrom('|', '|-', '|+', '>', '>-'),
    fc.array(matching(/^[a-z0-9:#-]( ?[a-z0-9:#-]){0,6}$/), { minLength: 1, maxLength: 4 }),
  )
  .map(([mark, lines]) => `${mark}\n${indent(lines.join('\n'))}`);
/** Without a dash alone, tagged or not, which the library refuses in brackets; and nothing is no item there. */
const inFlow = (one: string) => (/^$|(^| )-$/.test(one) ? '~' : one);
const flow = fc.array(scalar, { maxLength: 4 }).map((items) => `[${items.map(inFlow).join(', ')}]`);
const list = fc
  .array(scalar, { minLength: 1, maxLength: 4 })
  .map((items) => `\n${indent(items.map((one) => `- ${one}`).join('\n'))}`);

/** A block that stands under a key of `data`. */
const entry = fc.oneof(
  { weight: 8, arbitrary: scalar },
  { weight: 1, arbitrary: block },
  { weight: 1, arbitrary: flow },
  { weight: 1, arbitrary: list },
);
const line = (key: string, value: string) => `${key}: ${value}`;

/** Texts that mean more than their words: anchors, merges, a key that stands there twice, one that is odd. */
const extra = fc.oneof(
  { weight: 4, arbitrary: fc.constant('') },
  scalar.map((value) => `base: &b {a: ${inFlow(value)}, z: 1}\nuse: *b\nmore: [*b, *b]`),
  fc.tuple(plain, plain).map(([one, two]) => `base: &b\n  a: ${one}\n  b: ${two}\nmerged:\n  a: own\n  <<: *b\n  c: 3`),
  plain.map((one) => `x: &x {a: ${inFlow(one)}}\ny: &y {a: 2, b: 3}\nboth:\n  <<: [*x, *y]\n  b: 4`),
  fc.tuple(scalar, scalar).map(([one, two]) => `twice: ${one}\ntwice: ${two}`),
  fc.tuple(fc.oneof(plain, quoted), scalar).map(([key, value]) => `? ${key}\n: ${value}`),
  fc.integer({ min: 90, max: 300 }).map((count) => `many: &m [1, 2]\naliases:\n${'  - *m\n'.repeat(count).trimEnd()}`),
);
const namespace = fc.constantFrom(
  '',
  'namespace:',
  'namespace: ""',
  'namespace: default',
  'namespace: kube-system',
  'namespace: ~',
);

const yamlDocument = (index: number, part: number) =>
  fc.tuple(namespace, fc.array(entry, { maxLength: 6 }), extra).map(([where, values, more]) => {
    const data = [...values.map((value, at) => line(`k${at}`, value)), ...(more === '' ? [] : [more])];
    const metadata = [`name: ${index}-${part}`, ...(where === '' ? [] : [where])];
    const body = ['apiVersion: v1', 'kind: ConfigMap', `metadata:\n${indent(metadata.join('\n'))}`];
    return [...body, ...(data.length === 0 ? [] : [`data:\n${indent(data.join('\n'))}`])].join('\n');
  });
const yamlFile = (index: number) =>
  fc
    .tuple(
      yamlDocument(index, 0),
      fc.option(yamlDocument(index, 1)),
      fc.constantFrom('---\n', '--- # more\n', '---  \n', '---\n---\n', '---\n# words\n---\n'),
      fc.constantFrom('', '---\n', '# words\n', '\n\n'),
      fc.constantFrom('\n', '', '\n\n', '\n...\n', '\n---\n'),
    )
    .map(
      ([first, second, between, before, after]) =>
        `${before}${first}${second === null ? '' : `\n${between}${second}`}${after}`,
    );

const jsonNumber = fc.oneof(
  fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }).map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => JSON.stringify(number)),
  fc.constantFrom('1.0', '1.50', '1e3', '-0', '9223372036854775807', '9223372036854775808'),
);
const jsonObject = (index: number, part: number) =>
  fc.tuple(fc.json({ maxDepth: 2 }), fc.array(jsonNumber, { maxLength: 3 })).map(([value, numbers]) => {
    const data = `{"value":${value},"numbers":[${numbers.join(',')}],"twice":1,"twice":"}"}`;
    return `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"${index}-${part}"},"data":${data}}`;
  });
const jsonFile = (index: number) =>
  fc
    .tuple(jsonObject(index, 0), fc.option(jsonObject(index, 1)), fc.constantFrom('', '\n', ' \n '))
    .map(([first, second, between]) => `${between}${first}${between}${second ?? ''}\n`);

/** A file whose objects are named `<index>-<part>`. */
export const manifestFile = (index: number): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.oneof({ weight: 8, arbitrary: yamlFile(index) }, { weight: 1, arbitrary: jsonFile(index) }),
      fc.constantFrom('', '', '', '\uFEFF'),
      fc.constantFrom('\n', '\n', '\n', '\r\n'),
    )
    .map(([content, mark, newline]) => mark + content.replaceAll('\n', newline));
