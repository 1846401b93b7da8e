import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { systemCode } from '../../../../src/shared/errors.ts';
import { answers, answersOk } from '../../../../src/server/control-plane/readiness.ts';
import { openPki } from '../../../../src/server/pki/pki.ts';
import { kubeServer } from '../../../helpers/kube-server.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const within = () => AbortSignal.timeout(1000);

test('a page that has ok in it is not ready while its status is 500', async () => {
  let looks = 0;
  const { url, caPem } = await kubeServer((_asked, response) => {
    looks += 1;
    response.writeHead(looks < 3 ? 500 : 200).end(looks < 3 ? '[+]ping ok\n[-]rbac failed' : 'ok');
  });
  await answersOk({ url: `${url}/readyz`, ca: () => caPem })(within());
  expect(looks).toBe(3);
});

test('who answers with the certificate of another authority is not believed', async () => {
  const { url } = await kubeServer((_asked, response) => void response.end('ok'));
  const other = await openPki(temporaryDir());
  await expect(answersOk({ url: `${url}/readyz`, ca: () => other.serverCa.caPem })(within())).rejects.toThrow(
    /abort|certificate/,
  );
});

test('an answer that takes longer than the looking is waited for: on a slow host each takes so long', async () => {
  const { url, caPem } = await kubeServer((_asked, response) => {
    setTimeout(() => response.end('ok'), 5500);
  });
  await expect(
    answersOk({ url: `${url}/readyz`, ca: () => caPem })(AbortSignal.timeout(20_000)),
  ).resolves.toBeUndefined();
}, 20_000);

test('it says who asks, and looks for another name in the certificate where that is what it has', async () => {
  const users: (string | undefined)[] = [];
  const { url, caPem } = await kubeServer(({ user }, response) => {
    users.push(user);
    response.end('ok');
  });
  const pki = await openPki(temporaryDir());
  const { certFile, keyFile } = await pki.keepLeaf(pki.clientCa, {
    name: 'k',
    commonName: 'kagent',
    usages: ['client'],
  });
  const client = () => ({ cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') });
  await answersOk({ url, ca: () => caPem, client })(within());
  expect(users).toEqual(['kagent']);
  await expect(answersOk({ url, ca: () => caPem, servername: 'localhost' })(within())).rejects.toThrow(
    /abort|localhost/,
  );
});

test('a program that was ready is asked once each time, and what it complains of is said', async () => {
  let status = 200;
  let looks = 0;
  const { url, caPem } = await kubeServer((_asked, response) => {
    looks += 1;
    const page = '[+]ping ok\n[-]etcd failed: reason withheld\nlivez check failed';
    response.writeHead(status, { 'content-length': page.length }).end(page); // as Go's servers say it
  });
  const ask = answers({ url: `${url}/readyz`, ca: () => caPem });
  await ask(within());
  await ask(within());
  expect(looks).toBe(2);
  status = 500;
  await expect(ask(within())).rejects.toThrow(/readyz answers 500: \[-\]etcd failed: reason withheld$/);
  expect(looks).toBe(3);
  await expect(answers({ url: 'https://127.0.0.1:1/readyz', ca: () => caPem })(within())).rejects.toMatchObject({
    code: 'ECONNREFUSED',
  });
});

test('a certificate that was renewed is shown at the next check, not that of the connection', async () => {
  const users: (string | undefined)[] = [];
  const { url, caPem } = await kubeServer(({ user }, response) => {
    users.push(user);
    response.end('ok');
  });
  const pki = await openPki(temporaryDir());
  const clientOf = async (commonName: string) => {
    const { certFile, keyFile } = await pki.keepLeaf(pki.clientCa, {
      name: commonName,
      commonName,
      usages: ['client'],
    });
    return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
  };
  let client = await clientOf('before');
  const ask = answers({ url, ca: () => caPem, client: () => client });
  await ask(within());
  client = await clientOf('after');
  await ask(within());
  expect(users).toEqual(['before', 'after']);
  const unreadable = () => ({ cert: readFileSync('/nowhere/kagent.crt', 'utf8'), key: '' });
  await expect(answers({ url, ca: () => caPem, client: unreadable })(within())).rejects.toSatisfy(
    (error: Error) => systemCode(error) === undefined && error.message.includes('/nowhere/kagent.crt'),
  );
});
