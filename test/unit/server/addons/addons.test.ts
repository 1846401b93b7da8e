import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { addonManifests, addons } from '../../../../src/server/addons/addons.ts';
import { objectsOf } from '../../../../src/server/manifests/parse.ts';

const folder = join(import.meta.dirname, '../../../../src/server/addons');
const settings = {
  clusterDns: '10.43.0.10',
  clusterDomain: 'cluster.local',
  advertiseAddress: '10.0.0.1',
  serverCaPem: 'PEM',
};

test('each add-on is a folder of its own name, and each such folder an add-on', () => {
  const folders = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(addons.map(({ name }) => name).toSorted()).toEqual(folders.map(({ name }) => name).toSorted());
});

test('a manifest uses exactly the images that its add-on names, so that the bundle has them', () => {
  for (const addon of addons) {
    if (addon.manifest === undefined) continue; // what its component applies is its own test's
    const asked: string[] = [];
    const image = (name: string) => {
      asked.push(name);
      return `example/${name}:1`;
    };
    const text = addon.manifest({ ...settings, image });
    expect([...new Set(asked)]).toEqual(addon.images);
    const used = [...text.matchAll(/^\s*(?:- )?image: (\S+)$/gm)].map(([, name]) => name);
    expect(new Set(used)).toEqual(new Set(addon.images.map((name) => `example/${name}:1`)));
  }
});

test('every manifest is read as a file of the folder would be', async () => {
  for (const { text } of addonManifests({ ...settings, image: (name) => `example/${name}:1` }))
    expect((await objectsOf(text)).length).toBeGreaterThan(0);
});
