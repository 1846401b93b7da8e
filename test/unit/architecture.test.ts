import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { layers } from './layers.ts';

const src = resolve(import.meta.dirname, '../../src');
const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));

/** `server/store/txn.ts` → `server/store`; `server/server.ts` → `server`; all of `shared/` is one row. */
function roomOf(file: string): string {
  const parts = dirname(file).split('/');
  return parts[0] === 'shared' ? 'shared' : parts.slice(0, 2).join('/');
}

/** Folder of the file below shared/ counts as a room of its own where doors are concerned. */
function houseOf(file: string): string {
  return dirname(file).split('/').slice(0, 2).join('/');
}

function importsOf(file: string): readonly string[] {
  const text = readFileSync(join(src, file), 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map((match) =>
    relative(src, resolve(src, dirname(file), match[1] ?? '')),
  );
}

const rowOf = (room: string) => layers.findIndex((row) => row.includes(room));

describe('the house', () => {
  test('every file is in a room that the table of layers knows', () => {
    expect(files.filter((file) => rowOf(roomOf(file)) < 0)).toEqual([]);
  });

  test('imports go to rows above, never sideways or down', () => {
    const wrong = files.flatMap((file) =>
      importsOf(file)
        .filter((target) => target.endsWith('.ts'))
        .filter((target) => roomOf(target) !== roomOf(file) && rowOf(roomOf(target)) >= rowOf(roomOf(file)))
        .map((target) => `${file} → ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  test('a room is entered by its door, the file with its name', () => {
    const wrong = files.flatMap((file) =>
      importsOf(file)
        .filter((target) => target.endsWith('.ts') && houseOf(target) !== houseOf(file))
        .filter((target) => !isDoor(target))
        .map((target) => `${file} → ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  test('only main.ts knows both server and agent', () => {
    const both = files.filter((file) => {
      const halves = new Set([file, ...importsOf(file)].map((path) => path.split('/')[0]));
      return halves.has('server') && halves.has('agent');
    });
    expect(both).toEqual(['main.ts']);
  });
});

/** `server/store/store.ts`, `shared/errors.ts`, and the settings of a mode. */
function isDoor(target: string): boolean {
  const name = basename(target, '.ts');
  const folder = dirname(target);
  return (
    folder === 'shared' ||
    folder === 'server' ||
    folder === 'agent' ||
    folder === 'shared/protocol' ||
    name === basename(folder)
  );
}
