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

test('docs/doctor-findings.md names every check, and no other', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/doctor-findings.md'), 'utf8');
  const rows = [...page.matchAll(/^\| (`[^|]+)\|/gm)].flatMap(([, cell = '']) => [
    ...cell.matchAll(/`([a-z0-9*-]+)`/g),
  ]);
  const patterns = rows.map(([, name = '']) => new RegExp(`^${name.replace('*', '.*')}$`));
  const names = allChecks.map(({ name }) => name);
  expect(names.filter((name) => !patterns.some((pattern) => pattern.test(name)))).toEqual([]);
  const others = patterns.filter((pattern) => !names.some((name) => pattern.test(name))).map(({ source }) => source);
  expect(others).toEqual(['^noexec$']); // an option of a mount
});
