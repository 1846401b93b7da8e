import { KagentError } from '../../shared/errors.ts';

export class NeverReadyError extends KagentError {
  readonly code = 'PROCESS_NEVER_READY';
  readonly fault = 'internal';
  readonly component: string;

  constructor(component: string, reason: string, lastLines: readonly string[]) {
    const said = lastLines.length === 0 ? 'it wrote nothing' : `its last lines:\n  ${lastLines.join('\n  ')}`;
    super(`${component} ${reason}; ${said}`);
    this.component = component;
  }
}
