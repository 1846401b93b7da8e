import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '../../..');
const pages = [
  'README.md',
  'bench/README.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map((file) => `docs/${file}`),
].filter((file) => file.endsWith('.md'));

/** As GitHub makes them of headings. */
function anchorsOf(text: string): readonly string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}

/** Of the repository: `src/datastore/http2`, `unit/host/daemon/lock`, `host/process/liveness.ts`. */
const isOurs = (span: string) =>
  /^(?:src|test|scripts|bench|unit|integration|e2e)\/[\w./-]+$/.test(span) || /^[\w-]+\/[\w./-]+\.ts$/.test(span);

test('every file and folder of the repository that the docs name is there', () => {
  const files = ['src', 'test', 'scripts', 'bench'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => `${folder}/${file}`),
  );
  const isThere = (path: string) =>
    files.some((file) => ['', '.ts', '.test.ts'].some((ending) => `/${file}`.endsWith(`/${path}${ending}`))) ||
    files.some((file) => `/${file}`.includes(`/${path.replace(/\/$/, '')}/`));
  const wrong = pages.flatMap((page) => {
    const spans = [...readFileSync(join(root, page), 'utf8').matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => span);
    return spans.filter((span) => isOurs(span) && !isThere(span)).map((span) => `${page}: ${span}`);
  });
  expect(wrong).toEqual([]);
});

test('every link of the docs to a file, or to a heading in one, leads there', () => {
  const wrong = pages.flatMap((page) => {
    const text = readFileSync(join(root, page), 'utf8');
    const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? '');
    return links
      .filter((link) => !/^https?:/.test(link))
      .filter((link) => {
        const [path = '', anchor] = link.split('#');
        const target = path === '' ? join(root, page) : resolve(root, dirname(page), path);
        if (!existsSync(target)) return true;
        return anchor !== undefined && !anchorsOf(readFileSync(target, 'utf8')).includes(anchor);
      })
      .map((link) => `${page}: ${link}`);
  });
  expect(wrong).toEqual([]);
});
