import { KagentError } from '../../shared/errors.ts';
import { wrongUsageExitCode } from '../../shared/exit-codes.ts';

export class RegistriesInvalidError extends KagentError {
  readonly code = 'CONFIG_REGISTRIES_INVALID';
  readonly fault = 'operator';
  override readonly exitCode = wrongUsageExitCode;

  constructor(file: string, line: number, key: string, reason: string, remedy?: string) {
    super(`${file} line ${line}: ${key === '' ? '' : `${key}: `}${reason}`, { remedy });
  }
}
