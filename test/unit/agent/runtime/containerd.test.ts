import { expect, test } from 'vitest';
import { containerdsOwn } from '../../../../src/agent/runtime/runtime.ts';

test('a proxy may be containerd’s alone, and another one than everybody’s', () => {
  const env = { HTTPS_PROXY: 'http://all', CONTAINERD_HTTPS_PROXY: 'http://own', CONTAINERD_NO_PROXY: 'a' };
  expect(containerdsOwn(env)).toMatchObject({ HTTPS_PROXY: 'http://own', NO_PROXY: 'a' });
  expect(containerdsOwn({ HTTPS_PROXY: 'http://all' })).toEqual({ HTTPS_PROXY: 'http://all' });
});
