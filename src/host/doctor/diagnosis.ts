import type { Check, Fault, Finding } from './check.ts';

export interface Diagnosis {
  /** The worst first. */
  readonly findings: readonly Finding[];
  /** Names of the checks that found nothing. */
  readonly fine: readonly string[];
  /** Those that could not be made, or had nothing to check. */
  readonly notLooked: readonly { readonly check: string; readonly because: string }[];
}

export interface Repair {
  readonly check: string;
  readonly what: string;
}

/** One after the other: what costs time is the disk, which would be measured together with the rest. */
export async function diagnose<Subject>(checks: readonly Check<Subject>[], subject: Subject): Promise<Diagnosis> {
  const findings: Finding[] = [];
  const fine: string[] = [];
  const notLooked: Diagnosis['notLooked'][number][] = [];
  for (const check of checks) {
    const looked = await check.look(subject);
    if ('notLooked' in looked) {
      notLooked.push({ check: check.name, because: looked.notLooked });
      continue;
    }
    if (looked.length === 0) fine.push(check.name);
    findings.push(...looked.map((fault) => findingOf(check, fault)));
  }
  return { findings: inOrder(findings), fine, notLooked };
}

function findingOf<Subject>(check: Check<Subject>, fault: Fault): Finding {
  const { name, why, fix } = check;
  return { ...fault, check: name, why, fix: fault.fix ?? fix, canFix: 'repair' in check };
}

export function merged(parts: readonly Diagnosis[]): Diagnosis {
  return {
    findings: inOrder(parts.flatMap(({ findings }) => findings)),
    fine: parts.flatMap(({ fine }) => fine),
    notLooked: parts.flatMap(({ notLooked }) => notLooked),
  };
}

function inOrder(findings: readonly Finding[]): readonly Finding[] {
  const rank = { fatal: 0, warning: 1, note: 2 };
  return findings.toSorted((a, b) => rank[a.severity] - rank[b.severity]);
}
