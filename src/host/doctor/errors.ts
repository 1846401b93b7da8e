import { KagentError } from '../../shared/errors.ts';

/** A repair was begun; what it would have needed undone is in the undo log. */
export class FixFailedError extends KagentError {
  readonly code = 'DOCTOR_FIX_FAILED';
  readonly fault = 'operator';
  constructor(command: string, exitCode: number) {
    super(`"${command}" ended with ${exitCode}`, { remedy: 'run it by hand to see why' });
  }
}
