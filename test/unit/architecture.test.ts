import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { layers } from './layers.ts';

const src = resolve(import.meta.dirname, '../../src');
const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));

const isOneRow = new Set(['shared', 'host', 'kube', 'cli']);

/** `datastore/store/txn.ts` → `datastore/store`; `server/server.ts` → `server`; all of `shared/` is one row. */
function roomOf(file: string): string {
  const parts = dirname(file).split('/');
  const [house = '.'] = parts;
  return isOneRow.has(house) ? house : parts.slice(0, 2).join('/');
}

/** Folder of the file below shared/ counts as a room of its own where entries are concerned. */
function houseOf(file: string): string {
  return dirname(file).split('/').slice(0, 2).join('/');
}

function importsOf(file: string): readonly string[] {
  const text = readFileSync(join(src, file), 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map((match) =>
    relative(src, resolve(src, dirname(file), match[1] ?? '')),
  );
}

/** Groups of files that reach each other, in whatever many steps (Tarjan's strongly connected components). */
function circlesOf(graph: ReadonlyMap<string, readonly string[]>): readonly (readonly string[])[] {
  const numbers = new Map<string, number>();
  const path: string[] = [];
  const circles: string[][] = [];
  /** @returns the earliest file of the path that can be reached from here */
  const visit = (file: string): number => {
    const number = numbers.size;
    numbers.set(file, number);
    path.push(file);
    let earliest = number;
    for (const target of graph.get(file) ?? []) {
      if (!numbers.has(target)) earliest = Math.min(earliest, visit(target));
      else if (path.includes(target)) earliest = Math.min(earliest, numbers.get(target) ?? number);
    }
    if (earliest === number) circles.push(path.splice(path.indexOf(file)));
    return earliest;
  };
  for (const file of graph.keys()) if (!numbers.has(file)) visit(file);
  return circles.filter((circle) => circle.length > 1).map((circle) => circle.toSorted());
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

  test('a room is entered by the file with its name', () => {
    const wrong = files.flatMap((file) =>
      importsOf(file)
        .filter((target) => target.endsWith('.ts') && houseOf(target) !== houseOf(file))
        .filter((target) => !isEntry(target))
        .map((target) => `${file} → ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  test('no file is reached from itself, types counted: what the files of a room share is in its types.ts', () => {
    expect(circlesOf(new Map(files.map((file) => [file, importsOf(file)])))).toEqual([]);
  });

  test('what is beside the datastore knows nothing of its rooms', () => {
    const inside = (file: string) => file.startsWith('datastore/');
    const wrong = files
      .filter((file) => !inside(file))
      .flatMap((file) =>
        importsOf(file)
          .filter(inside)
          .map((target) => ({ file, target })),
      )
      .filter(({ target }) => !['datastore/datastore.ts', 'datastore/commands.ts'].includes(target));
    expect(wrong).toEqual([]);
  });

  test('commands are run by host/run.ts; who else starts a process keeps it alive, leaves it behind or gives it the terminal', () => {
    const starters = files.filter((file) => readFileSync(join(src, file), 'utf8').includes("'node:child_process'"));
    const supervised = (file: string) => file.startsWith('host/process/');
    expect(starters.filter((file) => !supervised(file)).toSorted()).toEqual([
      'host/run.ts',
      'host/service/daemonize.ts',
      'host/service/host.ts',
      'lab/script.ts',
    ]);
  });

  test('only main.ts knows both server and agent', () => {
    const both = files.filter((file) => {
      const halves = new Set([file, ...importsOf(file)].map((path) => path.split('/')[0]));
      return halves.has('server') && halves.has('agent');
    });
    expect(both).toEqual(['main.ts']);
  });
});

/** The file with the room's name, the commands that it brings, and the few files that are a room each. */
function isEntry(target: string): boolean {
  const name = basename(target, '.ts');
  const folder = dirname(target);
  const isBase = ['shared', 'shared/protocol', 'host'].includes(folder);
  const isMode = folder === 'server' || folder === 'agent';
  return isBase || isMode || name === basename(folder) || name === 'commands';
}
