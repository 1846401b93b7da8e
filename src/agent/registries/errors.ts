import { KagentError } from '../../shared/errors.ts';

export class RegistriesInvalidError extends KagentError {
  readonly code = 'CONFIG_REGISTRIES_INVALID';
  readonly fault = 'operator';

  constructor(file: string, line: number, key: string, reason: string) {
    super(`${file} line ${line}: ${key === '' ? '' : `${key}: `}${reason}`);
  }
}
