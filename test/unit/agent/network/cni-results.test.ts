import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bandwidthLinks, removeResults } from '../../../../src/agent/network/cni-results.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

test('links of the bandwidth plugin are known by the notes of our pods, and those notes go; others’ stay', () => {
  const dir = join(temporaryDir(), 'results');
  expect(bandwidthLinks(dir)).toEqual([]);
  mkdirSync(dir);
  const interfaces = [{ name: 'cni0' }, { name: 'veth12345678' }, { name: 'bwp0123456789ab' }];
  writeFileSync(join(dir, 'kagent-abc-eth0'), JSON.stringify({ networkName: 'kagent', result: { interfaces } }));
  writeFileSync(
    join(dir, 'podman-abc-eth0'),
    JSON.stringify({ result: { interfaces: [{ name: 'bwpffffffffffff' }] } }),
  );
  expect(bandwidthLinks(dir)).toEqual(['bwp0123456789ab']);
  removeResults(dir);
  expect(readdirSync(dir)).toEqual(['podman-abc-eth0']);
});
