/**
 * Writes docs/component-args.md out of the rules and the programs' flags: `node scripts/component-args-doc.ts`. A unit test
 * compares the two; another one, of the built programs, compares `component-flags.json` with what they say of themselves.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { kubeletRules, kubeProxyRules } from '../src/agent/node/node.ts';
import { argumentRules } from '../src/server/control-plane/control-plane.ts';
import { processWideFlag } from '../src/shared/arguments/arguments.ts';
import type { FlagRule, FlagRules } from '../src/shared/arguments/arguments.ts';

export const rulesOfPrograms: Readonly<Record<string, FlagRules>> = {
  ...argumentRules,
  kubelet: kubeletRules,
  'kube-proxy': kubeProxyRules,
};

/** What `--help` of each program names. */
export const flagsOfPrograms = JSON.parse(
  readFileSync(join(import.meta.dirname, 'component-flags.json'), 'utf8'),
) as Readonly<Record<string, readonly string[]>>;

export function componentArgsDoc(): string {
  const programs = Object.entries(rulesOfPrograms);
  return `# Flags of components

\`--kube-apiserver-arg\`, \`--kube-controller-manager-arg\`, \`--kube-scheduler-arg\`, \`--kubelet-arg\` and \`--kube-proxy-arg\` take
\`flag=value\` as the program has it, without its dashes, once for each flag. A value wins over the one that kagent gives; a flag given twice is
passed twice, which is how these programs take lists; one without a value means \`true\`; a comma is a comma. A flag that the program does not know
or whose value it cannot use ends the start with the program's own words.

Flags that would do nothing, or break what kagent does beside them, are refused with \`CONFIG_COMPONENT_ARGUMENT\` and what works instead. So
every flag has one of these effects:

${table([['Program', 'passed as it is', 'passed, and more', 'refused'], ...programs.map(([program, rules]) => counts(program, rules))])}
With one of these a program is a process of its own, since upstream keeps it in a variable of the process
([operations](operations.md#processes)): ${processWide()}.

\`--etcd-arg\` knows \`quota-backend-bytes=BYTES\` alone, since the datastore is kagent's own.

${programs.map(([program, rules]) => section(program, rules)).join('\n')}`;
}

function processWide(): string {
  const all = new Set(Object.keys(rulesOfPrograms).flatMap((program) => flagsOfPrograms[program] ?? []));
  const isRefused = (name: string) =>
    Object.values(rulesOfPrograms).some((rules) => rules[name]?.becomes === 'refused');
  return code([...all].filter((name) => processWideFlag([{ name }]) !== undefined && !isRefused(name)).toSorted());
}

function counts(program: string, rules: FlagRules): readonly string[] {
  const flags = allOf(program, rules);
  const refused = flags.filter((flag) => rules[flag]?.becomes === 'refused' && rules[flag].when === undefined);
  const more = flags.filter((flag) => rules[flag] !== undefined && !refused.includes(flag));
  return [program, ...[flags.length - refused.length - more.length, more.length, refused.length].map(String)];
}

function table([head = [], ...rows]: readonly (readonly string[])[]): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |\n`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('');
}

function section(program: string, rules: FlagRules): string {
  const passed = allOf(program, rules).filter((flag) => rules[flag] === undefined);
  const byEffect = Map.groupBy(Object.keys(rules).toSorted(), (flag) => effect(rules[flag]));
  const lines = [...byEffect].map(([said, flags]) => `- ${code(flags)}: ${said}\n`);
  return `## \`--${program}-arg\`

${lines.join('')}- ${code(passed)}: passed as they are
`;
}

function code(flags: readonly string[]): string {
  return flags.map((flag) => `\`${flag}\``).join(', ');
}

function allOf(program: string, rules: FlagRules): readonly string[] {
  return [...new Set([...(flagsOfPrograms[program] ?? []), ...Object.keys(rules)])].toSorted();
}

function effect(rule: FlagRule | undefined): string {
  switch (rule?.becomes) {
    case 'refused':
      return `${rule.when === undefined ? 'refused' : 'refused where it cannot work'}: ${rule.instead}`;
    case 'merged':
      return rule.how;
    case 'written':
      return `${rule.how}`;
    case 'alone':
      return rule.without.length === 0
        ? "in place of kagent's own file"
        : `kagent leaves out its own ${code(rule.without)}`;
    case undefined:
      return 'passed as it is';
  }
}

if (import.meta.main) {
  writeFileSync(join(import.meta.dirname, '../docs/component-args.md'), componentArgsDoc());
}
