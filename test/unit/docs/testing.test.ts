import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '../../..');

/** A variable of the environment with a number for whoever says none: how often, or how much. */
const measure = /process\.env\['(KAGENT_\w+)'\] \?\? '?(\d+)/g;

test('docs/testing.md has every variable that makes a test longer, with what it is otherwise', () => {
  const files = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  const found = files.flatMap((file) =>
    [...readFileSync(join(root, 'test', file), 'utf8').matchAll(measure)].map(([, name, value]) => `${name}=${value}`),
  );
  const rows = readFileSync(join(root, 'docs/testing.md'), 'utf8').matchAll(
    /^\| `(KAGENT_\w+)=[^`]+` *\| *([\d,]+) /gm,
  );
  const told = [...rows].map(([, name, value = '']) => `${name}=${value.replaceAll(',', '')}`);
  expect(told.toSorted()).toEqual(found.toSorted());
});
