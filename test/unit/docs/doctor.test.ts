import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { doctorDoc } from '../../../scripts/doctor-doc.ts';
import { allChecks } from '../../../src/host/doctor/doctor.ts';

test('docs/doctor.md says what the checks say; `node scripts/doctor-doc.ts` writes it anew', () => {
  const written = readFileSync(join(import.meta.dirname, '../../../docs/doctor.md'), 'utf8');
  expect(written).toBe(doctorDoc());
});

test('no two checks share a name', () => {
  const names = allChecks.map(({ name }) => name);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});
