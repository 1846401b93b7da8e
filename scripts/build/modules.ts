/**
 * Which Go modules a program was made of, and their licences: for the list of parts (SBOM) and the notices.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './run.ts';

export interface Part {
  readonly name: string;
  readonly version: string;
  /** Package URL: `pkg:golang/k8s.io/api@v0.37.1`. */
  readonly purl: string;
  /** SPDX, or NOASSERTION where the text is none of the usual ones. */
  readonly licence: string;
  /** The licence and notice files as they are. */
  readonly texts: readonly string[];
  /** What we changed in it: names of patches. */
  readonly patches?: readonly string[];
}

/** @param patches module → what it was built with. @returns the modules inside the given programs, sorted, each once */
export async function modulesOf(
  programs: readonly string[],
  patches: ReadonlyMap<string, readonly string[]>,
): Promise<Part[]> {
  const lines = (await run('go', ['version', '-m', ...programs])).split('\n');
  const cache = (await run('go', ['env', 'GOMODCACHE'])).trim();
  const found = new Map<string, { readonly name: string; readonly version: string }>();
  for (const [index, line] of lines.entries()) {
    const [, kind, name, version] = line.split('\t');
    const replacement = (lines[index + 1] ?? '').split('\t'); // `=>` on the next line
    if ((kind !== 'mod' && kind !== 'dep') || name === undefined || version === undefined || version === '(devel)')
      continue;
    const isPatched = patches.has(name); // then it is replaced by a folder, which has no version
    const actual = replacement[1] === '=>' && !isPatched ? (replacement[3] ?? version) : version;
    found.set(`${name}@${actual}`, { name, version: actual });
  }
  const sorted = [...found.values()].toSorted((a, b) => (`${a.name}@${a.version}` < `${b.name}@${b.version}` ? -1 : 1));
  return Promise.all(
    sorted.map(async ({ name, version }) => {
      const texts = await licenceTexts(join(cache, `${escaped(name)}@${escaped(version)}`));
      const changes = patches.get(name);
      const part = { name, version, purl: `pkg:golang/${name}@${version}`, licence: licenceOf(texts), texts };
      return changes === undefined ? part : { ...part, patches: changes };
    }),
  );
}

/** Go's module cache writes `!m` for `M`, for file systems that do not tell them apart. */
function escaped(path: string): string {
  return path.replaceAll(/[A-Z]/g, (letter) => `!${letter.toLowerCase()}`);
}

const licenceFile = /^(licen[cs]e|copying|notice|patents)([.-].*)?$/i;

export async function licenceTexts(dir: string): Promise<string[]> {
  const names = await readdir(dir).catch(() => []); // a module in the build's cache may have left Go's
  const wanted = names.filter((name) => licenceFile.test(name) && !name.endsWith('.go')).toSorted();
  const texts = await Promise.all(wanted.map((name) => readFile(join(dir, name), 'utf8').catch(() => '')));
  return texts.map((text) => text.trim()).filter((text) => text !== '');
}

const fingerprints: readonly (readonly [licence: string, words: RegExp])[] = [
  ['Apache-2.0', /Apache License\s+Version 2\.0/],
  ['MPL-2.0', /Mozilla Public License,? [Vv]ersion 2\.0/],
  ['BSD-3-Clause', /Redistribution and use[\s\S]*[Nn]either the names? of/],
  ['BSD-2-Clause', /Redistribution and use in source and binary forms/],
  ['ISC', /Permission to use, copy, modify, and(\/or)? distribute/],
  ['MIT', /Permission is hereby granted, free of charge/],
];

export function licenceOf(texts: readonly string[]): string {
  const names = texts.flatMap((text) => fingerprints.find(([, words]) => words.test(text))?.[0] ?? []);
  return [...new Set(names)].toSorted().join(' AND ') || 'NOASSERTION';
}
