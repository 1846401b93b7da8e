import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { connectDatastore, connectKeys } from '../../../src/datastore/client/client.ts';
import { startDatastore } from '../../../src/datastore/threads.ts';
import { openPki } from '../../../src/server/pki/pki.ts';
import { createKeyPem } from '../../../src/shared/certificates/certificates.ts';
import { freePort } from '../../helpers/etcd-servers.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

/** A CA, and what a server and a client of it show. */
async function credentials() {
  const { serverCa } = await openPki(temporaryDir());
  const pair = async (usage: 'server' | 'client') => {
    const key = createKeyPem();
    const { certPem: cert } = await serverCa.issue({
      commonName: usage,
      ipAddresses: ['127.0.0.1'],
      usages: [usage],
      publicKey: createPublicKey(key),
    });
    return { cert, key };
  };
  const ca = readFileSync(serverCa.certFile, 'utf8');
  return {
    server: { ...(await pair('server')), trustedCa: ca },
    client: { ...(await pair('client')), ca },
  };
}

async function startTlsDatastore(tls: Awaited<ReturnType<typeof credentials>>['server'], dir: string) {
  const address = `https://127.0.0.1:${await freePort()}`;
  const onFatal = (error: Error) => {
    throw error;
  };
  const datastore = await startDatastore({ dir, listen: [address], tls, onFatal });
  return { address, stop: () => datastore.stop() };
}

test('a client of several servers continues with the next when one is lost, over TLS', async () => {
  const { server, client } = await credentials();
  const dir = join(temporaryDir(), 'db');
  const first = await startTlsDatastore(server, dir);
  const second = `https://127.0.0.1:${await freePort()}`;
  const keys = connectKeys({ addresses: [first.address, second], tls: client });
  onTestFinished(() => keys.close());
  await keys.put('/kagent/a', 'one');
  await first.stop();
  // The same data at the other address: what is asked for is there, and not merely an answer.
  const datastore = await startDatastore({ dir, listen: [second], tls: server, onFatal: () => {} });
  onTestFinished(() => datastore.stop());
  await expect.poll(() => keys.get('/kagent/a').catch(() => undefined), { timeout: 10_000 }).toBe('one');
});

test('a server whose certificate another CA signed is not spoken to', async () => {
  const { server } = await credentials();
  const { client } = await credentials();
  const { address, stop } = await startTlsDatastore(server, join(temporaryDir(), 'db'));
  onTestFinished(stop);
  const keys = connectKeys({ addresses: [address], tls: client });
  onTestFinished(() => keys.close());
  await expect(keys.get('/kagent/a')).rejects.toMatchObject({ code: 'DATASTORE_CALL', isConnectionLost: true });
});

test('what takes how much room is asked for a depth and a revision that there can be', async () => {
  const address = `unix://${join(temporaryDir(), 's')}`;
  const datastore = await startDatastore({ dir: join(temporaryDir(), 'db'), listen: [address], onFatal: () => {} });
  onTestFinished(() => datastore.stop());
  const client = connectDatastore(address);
  onTestFinished(() => client.close());
  await expect(client.usage(2, 0)).resolves.toEqual([]);
  for (const depth of [0, 21, 1.5, Number.NaN])
    await expect(client.usage(depth, 0)).rejects.toThrow('depth is a whole number from 1 to 20');
  for (const revision of [-1, 0.5]) await expect(client.usage(1, revision)).rejects.toThrow('sinceRevision is a whole');
});
