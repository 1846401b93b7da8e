import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { componentArgsDoc, flagsOfPrograms, rulesOfPrograms } from '../../../scripts/component-args-doc.ts';
import { checkArguments, commandLine, flagsOf } from '../../../src/shared/arguments/arguments.ts';
import type { FlagRules } from '../../../src/shared/arguments/arguments.ts';

test('docs/component-args.md says what the rules say; `node scripts/component-args-doc.ts` writes it anew', () => {
  const written = readFileSync(join(import.meta.dirname, '../../../docs/component-args.md'), 'utf8');
  expect(written).toBe(componentArgsDoc());
});

/** What becomes of `flag=theirs` where kagent says `flag=ours`. */
function fate(flag: string, rules: FlagRules): string {
  const args = [`${flag}=theirs`];
  try {
    checkArguments({ setting: 'x-arg', args, rules, ours: { [flag]: 'ours' } });
  } catch {
    return 'refused';
  }
  return commandLine({ [flag]: 'ours' }, flagsOf(args), rules).join(' ');
}

test.each(Object.entries(rulesOfPrograms))('each flag of %s reaches it, or is refused', (program, rules) => {
  const flags = flagsOfPrograms[program] ?? [];
  expect(flags.length).toBeGreaterThan(50);
  const wanted = (flag: string) => {
    const rule = rules[flag];
    if (rule === undefined) return new RegExp(`^--${flag}=theirs$`);
    return rule.becomes === 'refused' ? /^refused$|^--\S+=theirs$/ : /^(--\S+=ours )?--\S+=.*theirs/;
  };
  expect(flags.filter((flag) => !wanted(flag).test(fate(flag, rules)))).toEqual([]);
});
