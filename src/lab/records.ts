/** The labs of this box, a file each. It is written before anything is made, and goes when nothing is left. */
import { rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemCode } from '../shared/errors.ts';
import { makeFolder, readFileIfExists, namesIn } from '../shared/files/files.ts';
import { LabExistsError } from './errors.ts';
import { LabRecord } from './hosts.ts';

export const labsDir = '/var/lib/kagent-lab';

export interface Records {
  /** @throws {LabExistsError} also while another process makes a lab of this name */
  claim(lab: LabRecord): void;
  find(name: string): LabRecord | undefined;
  list(): readonly LabRecord[];
  /** Legal twice. */
  forget(name: string): void;
}

/** @param dir where the files are; made when the first lab is, and gone with the last */
export function labRecords(dir = labsDir): Records {
  const fileOf = (name: string) => join(dir, `${name}.json`);
  const find = (name: string): LabRecord | undefined => {
    const text = readFileIfExists(fileOf(name));
    return text === undefined ? undefined : LabRecord.parse(JSON.parse(text));
  };
  return {
    find,
    claim(lab) {
      makeFolder(dir, 0o700);
      try {
        writeFileSync(fileOf(lab.name), JSON.stringify(lab), { flag: 'wx', mode: 0o600 });
      } catch (error) {
        if (systemCode(error) === 'EEXIST') throw new LabExistsError(lab.name);
        throw error;
      }
    },
    list: () =>
      namesIn(dir)
        .filter((file) => file.endsWith('.json'))
        .map((file) => file.slice(0, -'.json'.length))
        .toSorted()
        .flatMap((name) => find(name) ?? []),
    forget(name) {
      rmSync(fileOf(name), { force: true });
      try {
        rmdirSync(dir);
      } catch (error) {
        if (!['ENOTEMPTY', 'ENOENT'].includes(systemCode(error) ?? '')) throw error; // other labs are there
      }
    },
  };
}
