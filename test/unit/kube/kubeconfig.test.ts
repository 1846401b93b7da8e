import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { kubeconfigText } from '../../../src/kube/kube.ts';

test('files are named, texts are copied in', () => {
  const config = parse(
    kubeconfigText({
      server: 'https://127.0.0.1:6443',
      user: 'system:admin',
      ca: { file: '/a "b"/ca.crt' },
      certificate: { text: 'CERT' },
      key: { text: 'KEY' },
    }),
  ) as unknown;
  expect(config).toMatchObject({
    'current-context': 'default',
    clusters: [
      { name: 'default', cluster: { server: 'https://127.0.0.1:6443', 'certificate-authority': '/a "b"/ca.crt' } },
    ],
    users: [
      { name: 'system:admin', user: { 'client-certificate-data': btoa('CERT'), 'client-key-data': btoa('KEY') } },
    ],
    contexts: [{ name: 'default', context: { cluster: 'default', user: 'system:admin' } }],
  });
});
