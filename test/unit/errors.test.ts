import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '../..');

/** `CODE fault` of every error class, as its source has them beside each other. */
function codesInSource(): readonly string[] {
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  return files.flatMap((file) => {
    const text = readFileSync(join(root, 'src', file), 'utf8');
    return [...text.matchAll(/readonly code = '(\w+)';\s+readonly fault = '(\w+)'/g)].map(
      ([, code, fault]) => `${code} ${fault}`,
    );
  });
}

function codesInDocs(): readonly string[] {
  const text = readFileSync(join(root, 'docs/errors.md'), 'utf8');
  return [...text.matchAll(/^\| `(\w+)` +\| (\w+) +\| \S/gm)].map(([, code, fault]) => `${code} ${fault}`);
}

test('docs/errors.md has each error of the source, with whose move it is, and no other', () => {
  expect(codesInDocs().toSorted()).toEqual(codesInSource().toSorted());
});

test('docs/errors.md is in alphabetical order, so that a code is found', () => {
  const codes = codesInDocs();
  expect(codes).toEqual(codes.toSorted());
});

test('no two errors share a code', () => {
  const codes = codesInSource().map((entry) => entry.split(' ')[0]);
  expect(codes.filter((code, index) => codes.indexOf(code) !== index)).toEqual([]);
});
