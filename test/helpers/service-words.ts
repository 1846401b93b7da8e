import fc from 'fast-check';

/** Characters that some reader of a service's files takes for more than themselves, and others. */
const telling = fc.constantFrom(...(`'"\\$\`%;#&|<>(){}[]*?~!=:,. \t-_/@+aZ0ü€😀\u0085\u2028`.match(/./gsu) ?? []));

/** Anything a definition and an environment file hold: no control characters, but tabs. */
export const serviceWord = fc.oneof(
  fc.string({ unit: telling, minLength: 1, maxLength: 20 }),
  fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
    .filter((text) => !/[\0-\x08\n-\x1f\x7f]/.test(text) && text.isWellFormed()), // oxlint-disable-line no-control-regex
  fc.constantFrom(
    "it's",
    '$HOME',
    '${HOME}',
    '`id`',
    '50%$',
    '%n',
    ';',
    '"',
    "'",
    '\\',
    'a  b',
    '*',
    '/etc/*',
    '-',
    '../..',
    '$$',
  ),
);
