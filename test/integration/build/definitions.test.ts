import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { definitionsFile, writeDefinitions } from '../../../scripts/build/definitions.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

const component = resolve(import.meta.dirname, '../../../components/traefik');

test("the definitions of Traefik's kinds and of the Gateway API are one a line, under their names, without descriptions", async () => {
  const dir = temporaryDir();
  await writeDefinitions(component, dir);
  const [first = '', ...lines] = readFileSync(join(dir, definitionsFile), 'utf8').trimEnd().split('\n');
  const names = JSON.parse(first) as readonly string[];
  expect(names).toEqual(
    expect.arrayContaining([
      'ingressroutes.traefik.io',
      'middlewares.traefik.io',
      'httproutes.gateway.networking.k8s.io',
    ]),
  );
  const definitions = lines.map(
    (line) => JSON.parse(line) as { readonly kind: string; readonly metadata: { readonly name: string } },
  );
  expect(definitions.map(({ kind, metadata }) => [kind, metadata.name])).toEqual(
    names.map((name) => ['CustomResourceDefinition', name]),
  );
  expect(lines.join('')).not.toMatch(/"description":"/);
});
