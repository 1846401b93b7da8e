import { expect, test } from 'vitest';
import { openPki, TrustBundle } from '../../../../src/server/pki/pki.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

test('a bundle that gets a second authority tells so once, and has both', async () => {
  const [first, second] = await Promise.all([openPki(temporaryDir()), openPki(temporaryDir())]);
  const bundle = new TrustBundle(first.serverCa.caPem);
  const told: string[] = [];
  bundle.onChange((pem) => told.push(pem));
  const both = `${first.serverCa.caPem}${second.serverCa.caPem}`;
  bundle.replace(both);
  bundle.replace(both);
  expect(told).toEqual([both]);
  expect(bundle.certificates().map(({ subject }) => subject)).toHaveLength(2);
});
