import type { HostProblem } from '../../checks/checks.ts';
import type { Fault } from '../check.ts';

/** What a start would end with. */
export function faultOf({ what, remedy, code }: HostProblem): Fault {
  return { severity: 'fatal', what, code, ...(remedy !== undefined && { fix: remedy }) };
}

export function faultsOf(problems: readonly HostProblem[]): readonly Fault[] {
  return problems.map(faultOf);
}
