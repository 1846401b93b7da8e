import { expect, test } from 'vitest';
import { apiserverNames } from '../../../../src/server/control-plane/control-plane.ts';

test('pods, this host and what the operator added are all named, each once', () => {
  const names = apiserverNames({
    serviceCidr: '10.43.0.0/16',
    clusterDomain: 'cluster.example',
    advertiseAddress: '10.0.0.9',
    tlsSans: ['api.example', '10.0.0.9', 'fd00::9', 'localhost'],
  });
  expect(names.dnsNames).toEqual(
    expect.arrayContaining(['kubernetes', 'kubernetes.default.svc.cluster.example', 'localhost', 'api.example']),
  );
  expect(names.ipAddresses).toEqual(['10.43.0.1', '127.0.0.1', '::1', '10.0.0.9', 'fd00::9']);
  expect(new Set(names.dnsNames).size).toBe(names.dnsNames.length);
});
