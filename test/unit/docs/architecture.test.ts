import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '../../..');
const src = join(root, 'src');
const doc = readFileSync(join(root, 'docs/architecture.md'), 'utf8');

/** What may carry a message from one file to the next where neither imports the other. */
const carriers = ['gRPC', 'HTTPS', 'websocket', 'thread'];

interface Step {
  /** Below src/. */
  readonly file: string;
  readonly carrier: string | undefined;
}

/** `1. → (gRPC) [`datastore/http2/connection.ts`](../src/datastore/http2/connection.ts) reads …` */
const stepLine = /^\d+\. (?:→ \((?<carrier>[^)]*)\) )?\[`(?<name>[^`]+)`\]\(\.\.\/src\/(?<file>[^)]+)\) /;

/** The numbered lists below `## Five walks`, by their headings. */
function walks(text: string): ReadonlyMap<string, readonly string[]> {
  const chapter = text.split('\n## ').find((part) => part.startsWith('Five walks\n')) ?? '';
  const parts = chapter.split('\n### ').slice(1);
  return new Map(
    parts.map((part) => [part.split('\n', 1).join(''), part.split('\n').filter((line) => /^\d+\. /.test(line))]),
  );
}

function stepOf(line: string): Step {
  const { carrier, name = '', file = '' } = stepLine.exec(line)?.groups ?? {};
  expect(file, `a step names its file by its path below src/: ${line}`).toBe(name);
  return { file, carrier };
}

/** Files that this one imports or exports from. */
function importsOf(file: string): readonly string[] {
  const text = readFileSync(join(src, file), 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map((match) =>
    relative(src, resolve(src, dirname(file), match[1] ?? '')),
  );
}

const entryOf = (file: string) => join(dirname(file), `${basename(dirname(file))}.ts`);

/** The file itself, or the entry of its room, which in its turn has the file. */
function reaches(from: string, to: string): boolean {
  const imported = importsOf(from);
  const entry = entryOf(to);
  return imported.includes(to) || (imported.includes(entry) && importsOf(entry).includes(to));
}

/** Steps that neither an import nor a carrier leads to. */
function gaps(steps: readonly Step[]): readonly string[] {
  return steps.slice(1).flatMap(({ file, carrier }, index) => {
    const before = steps[index]?.file ?? '';
    return carrier !== undefined || reaches(before, file) || reaches(file, before) ? [] : [`${before} → ${file}`];
  });
}

/** Steps back to a file where the walk has been before. */
function returns(steps: readonly Step[]): readonly string[] {
  const files = steps.map(({ file }) => file);
  return files.filter((file, index) => files.indexOf(file) < index);
}

test('docs/architecture.md has the five walks', () => {
  expect([...walks(doc).keys()]).toEqual(['Txn', 'Watch', 'Join', 'Heartbeat', 'Crash']);
});

describe.each([...walks(doc)])('the walk of a %s', (_, lines) => {
  const steps = lines.map(stepOf);

  test('names files that exist', () => {
    expect(steps.length).toBeGreaterThan(3);
    expect(steps.map(({ file }) => file).filter((file) => !existsSync(join(src, file)))).toEqual([]);
  });

  test('goes from each file to one that an import, or what carries the message, leads to', () => {
    expect(gaps(steps)).toEqual([]);
    expect(steps.map(({ carrier }) => carrier ?? 'thread').filter((carrier) => !carriers.includes(carrier))).toEqual(
      [],
    );
  });

  test('comes back to a file once at most', () => {
    expect(returns(steps).length).toBeLessThanOrEqual(1);
  });
});

test('a step that no import leads to, and a file seen before, are found', () => {
  const steps = [
    '1. [`datastore/etcd/kv.ts`](../src/datastore/etcd/kv.ts) decodes.',
    '2. [`server/pki/pki.ts`](../src/server/pki/pki.ts) has no part in it.',
    '3. → (gRPC) [`datastore/etcd/kv.ts`](../src/datastore/etcd/kv.ts) again.',
  ].map(stepOf);
  expect(gaps(steps)).toEqual(['datastore/etcd/kv.ts → server/pki/pki.ts']);
  expect(returns(steps)).toEqual(['datastore/etcd/kv.ts']);
});

test('the table of folders has every folder of src/', () => {
  const named = [...doc.matchAll(/^\| `(\w+)\/`/gm)].map((match) => match[1] ?? '');
  const layers = new Set(
    readFileSync(join(root, 'test/unit/layers.ts'), 'utf8')
      .matchAll(/'(\w+)(?:\/[\w-]+)?'/g)
      .map((match) => match[1] ?? ''),
  );
  expect(named.toSorted()).toEqual([...layers].toSorted());
});
