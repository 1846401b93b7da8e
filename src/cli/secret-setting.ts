import { UnreadableConfigError } from '../shared/config/config.ts';
import { readFileIfExists } from '../shared/files/files.ts';
import { Secret } from '../shared/secret.ts';

/**
 * A secret that was given as it is, or as the file that holds it.
 * @throws {UnreadableConfigError} if the file is not there
 */
export function secretSetting(value: string | undefined, file: string | undefined): Secret | undefined {
  if (value !== undefined) return new Secret(value.trim());
  if (file === undefined) return undefined;
  const text = readFileIfExists(file);
  if (text === undefined) throw new UnreadableConfigError(`token-file ${file}`, 'there is no such file');
  return new Secret(text.trim());
}
