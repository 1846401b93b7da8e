import { expect, test } from 'vitest';
import { childEnvironment } from '../../../../src/host/process/environment.ts';

test('a child finds our binaries before the system ones of the same name', () => {
  const { PATH } = childEnvironment('kubelet', { path: '/data/current/bin', direct: [], from: {} });
  expect(PATH?.split(':').slice(0, 2)).toEqual(['/data/current/bin', '/usr/local/sbin']);
});

test('of what kagent was started with, a child gets proxies and time zone and nothing else', () => {
  const from = { HTTPS_PROXY: 'http://proxy:3128', TZ: 'UTC', KAGENT_TOKEN: 'secret', PATH: '/somewhere' };
  expect(childEnvironment('unknown', { path: '/bin', direct: ['10.42.0.0/16'], from })).toEqual({
    PATH: expect.stringMatching(/^\/bin:/) as string,
    HOME: '/root',
    HTTPS_PROXY: 'http://proxy:3128',
    NO_PROXY: '10.42.0.0/16,0.0.0.0/0,::/0',
    no_proxy: '10.42.0.0/16,0.0.0.0/0,::/0',
    TZ: 'UTC',
  });
});

test('a Go program gets the collector settings of its name, and extra has the last word', () => {
  expect(childEnvironment('kubelet', { path: '/bin', direct: ['10.42.0.0/16'], from: {} })['GOGC']).toMatch(/^\d+$/);
  expect(
    childEnvironment('kubelet', { path: '/bin', direct: ['10.42.0.0/16'], from: {}, extra: { GOGC: '7' } })['GOGC'],
  ).toBe('7');
});

test('Kubernetes’ programs reach every number without a proxy: nodes join that nobody knew of', () => {
  const list = (name: string) =>
    childEnvironment(name, { path: '/bin', direct: ['.svc'], from: { HTTPS_PROXY: 'http://proxy' } })['NO_PROXY'];
  for (const name of ['kube-apiserver', 'kubelet', 'kube-proxy', 'flanneld'])
    expect(list(name)).toBe('.svc,0.0.0.0/0,::/0');
  expect(list('containerd')).toBe('.svc');
});
