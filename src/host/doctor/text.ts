import { groups } from './check.ts';
import type { Check, Finding } from './check.ts';
import type { Diagnosis, Repair } from './diagnosis.ts';

const indent = ' '.repeat(9);

/** For a person: what was found, the worst first; what is fine is counted, or listed when asked for. */
export function diagnosisText(
  diagnosis: Diagnosis,
  repairs: readonly Repair[],
  options: { readonly checks: readonly Check<never>[]; readonly isVerbose: boolean },
): string {
  const { findings, fine, notLooked } = diagnosis;
  return [
    ...repairs.map(repairText),
    ...(options.isVerbose ? [fineText(fine, options.checks), notLookedText(notLooked)] : []),
    ...findings.map(findingText),
    summary(findings, fine.length, notLooked.length),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

/** What is left to do, and how: the last screen of an installation. */
export function whatToDo({ findings }: Diagnosis, repairs: readonly Repair[]): readonly string[] {
  const left = findings.filter(({ severity }) => severity !== 'note');
  return [
    ...repairs.map(repairText),
    ...left.flatMap(({ severity, check, what, fix, canFix }) => [
      `${severity.padEnd(9)}${check}: ${what}`,
      fixText(fix, canFix),
    ]),
  ];
}

function repairText({ check, what }: Repair): string {
  return `fixed    ${check}: ${what}`;
}

function fixText(fix: string, canFix: boolean): string {
  return `${indent}fix: ${fix}${canFix ? ' (kagent doctor --fix does it)' : ''}`;
}

function fineText(fine: readonly string[], checks: readonly Check<never>[]): string {
  const known = checks.filter(({ name }) => fine.includes(name));
  return groups
    .map((group) => ({ group, own: known.filter((check) => check.group === group) }))
    .filter(({ own }) => own.length > 0)
    .map(({ group, own }) => `${group}\n${own.map(({ name, title }) => `  ok  ${name}: ${title}`).join('\n')}\n`)
    .join('\n');
}

function findingText({ severity, check, what, why, fix, canFix }: Finding): string {
  return `${severity.padEnd(9)}${check}: ${what}\n${indent}why: ${why}\n${fixText(fix, canFix)}\n`;
}

function notLookedText(notLooked: Diagnosis['notLooked']): string {
  if (notLooked.length === 0) return '';
  return `Not checked\n${notLooked.map(({ check, because }) => `  --  ${check}: ${because}`).join('\n')}\n`;
}

function summary(findings: readonly Finding[], fineCount: number, notLookedCount: number): string {
  const count = (wanted: Finding['severity']) => findings.filter(({ severity }) => severity === wanted).length;
  const parts = [
    [count('fatal'), 'that would keep kagent from starting'],
    [count('warning'), 'to see to'],
    [count('note'), 'to know'],
  ] as const;
  const found = parts.filter(([number]) => number > 0).map(([number, what]) => `${number} ${what}`);
  const fine = fineCount === 1 ? '1 check is fine' : `${fineCount} checks are fine`;
  const others = notLookedCount === 1 ? '1 had nothing to check' : `${notLookedCount} had nothing to check`;
  const rest = notLookedCount === 0 ? `${fine}.` : `${fine}, ${others} (--verbose says why).`;
  return found.length === 0 ? rest : `${found.join(', ')}; ${rest}`;
}

/** For programs. */
export function diagnosisJson({ findings, fine, notLooked }: Diagnosis, repairs: readonly Repair[]): string {
  const isFit = findings.every(({ severity }) => severity !== 'fatal');
  return JSON.stringify({ fit: isFit, findings, fine, notLooked, fixed: repairs }, null, 2);
}
