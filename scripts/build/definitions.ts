/**
 * The definitions (CRDs) of Traefik's own kinds and of the Gateway API, from the files that both modules bring. One JSON text a line,
 * so that one can be read without the others: first the names of all, then each definition in that order. Descriptions of fields are
 * left out: three quarters of the text, which kube-apiserver would keep in its memory several times.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { hashOf, hashOfFile } from './cache.ts';
import { run } from './run.ts';

export const definitionsFile = 'traefik.jsonl';

/** Where each module has them; of the Gateway API the standard channel. */
const sources = [
  {
    module: 'github.com/traefik/traefik/v3',
    folder: 'docs/content/reference/dynamic-configuration',
    name: /^traefik\.io_/,
  },
  { module: 'sigs.k8s.io/gateway-api', folder: 'config/crd/standard', name: /^gateway\.networking\.k8s\.io_(?!vap_)/ },
] as const;

interface Definition {
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

/** @param component its folder: go.mod says which versions */
export async function definitionsKey(component: string): Promise<string> {
  return hashOf([await hashOfFile(import.meta.filename), await hashOfFile(join(component, 'go.mod'))]);
}

export async function writeDefinitions(component: string, dir: string): Promise<void> {
  const all = (await Promise.all(sources.map((source) => read(component, source)))).flat();
  const lines = [all.map(({ metadata }) => metadata.name), ...all.map(withoutDescriptions)].map((one) =>
    JSON.stringify(one),
  );
  await writeFile(join(dir, definitionsFile), `${lines.join('\n')}\n`);
}

async function read(component: string, { module, folder, name }: (typeof sources)[number]): Promise<Definition[]> {
  const { Dir } = JSON.parse(await run('go', ['mod', 'download', '-json', module], { cwd: component })) as {
    readonly Dir: string;
  };
  const files = (await readdir(join(Dir, folder))).filter((file) => name.test(file)).toSorted();
  const documents = await Promise.all(
    files.map(async (file) => parse(await readFile(join(Dir, folder, file), 'utf8')) as Definition),
  );
  const other = documents.find(({ kind }) => kind !== 'CustomResourceDefinition');
  if (documents.length === 0 || other !== undefined)
    throw new Error(`${folder} of ${module} has ${other?.kind ?? 'nothing'} where definitions are expected`);
  return documents;
}

/** A property that is called so is no text, and stays. */
function withoutDescriptions(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDescriptions);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([key, one]) => key !== 'description' || typeof one !== 'string');
  return Object.fromEntries(kept.map(([key, one]) => [key, withoutDescriptions(one)]));
}
