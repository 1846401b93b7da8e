import type { HostProblem } from '../../checks/checks.ts';
import type { Fault } from '../check.ts';

/** What a start would end with: its sentence has what happened before the first semicolon, and the next step after it. */
export function faultOf(problem: HostProblem): Fault {
  const [what = '', ...rest] = problem.message.split('; ');
  const fix = rest.join('; ');
  return { severity: 'fatal', what, code: problem.code, ...(fix !== '' && { fix }) };
}

export function faultsOf(problems: readonly HostProblem[]): readonly Fault[] {
  return problems.map(faultOf);
}
