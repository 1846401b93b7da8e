import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { installerFor } from '../../../../src/server/release/installer.ts';
import { openPki } from '../../../../src/server/pki/pki.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

test('what stands beside the certificates in a CA’s file does not get into the installer', async () => {
  const { serverCa, clientCa } = await openPki(temporaryDir());
  const words = `# the lab's own CA'; echo ran; '\n# $(echo ran) \`echo ran\`\n`;
  const caPem = `${words}${serverCa.caPem}\n${words}${clientCa.caPem}${words}`;
  const script = installerFor({
    script: `RELEASE_ADDRESS=\nRELEASE_CA=\nprintf '%s\\n' "$RELEASE_CA"\n`,
    host: '10.0.0.1:9345',
    caPem,
  });
  const said = execFileSync('sh', ['-c', script], { encoding: 'utf8' });
  expect(said).toBe(`${serverCa.caPem}${clientCa.caPem}`);
});
