import { expect, test } from 'vitest';
import { readValues } from '../../../../../src/server/addons/traefik/values.ts';

test('without values it is as k3s has it: one pod, the Service at 80 and 443, no access log', () => {
  const { ports, ...rest } = readValues(undefined);
  expect(rest).toMatchObject({ replicas: 1, serviceType: 'LoadBalancer', logLevel: 'INFO', hasAccessLog: false });
  expect(ports.map(({ name, port, exposedPort }) => [name, port, exposedPort])).toEqual([
    ['web', 8000, 80],
    ['websecure', 8443, 443],
  ]);
});

test('values by the names of the chart', () => {
  const values = readValues({
    deployment: { replicas: 2 },
    ports: {
      web: { exposedPort: 8080, nodePort: 30080 },
      websecure: { expose: { default: false } },
      postgres: { port: 5432, expose: { default: true } },
    },
    additionalArguments: ['--api.insecure=true'],
    nodeSelector: { disk: 'ssd' },
    tolerations: [{ key: 'edge', operator: 'Exists' }],
    resources: { limits: { memory: '1Gi' } },
    service: { type: 'NodePort' },
    logs: { general: { level: 'DEBUG' }, access: { enabled: true } },
  });
  expect(values).toMatchObject({ replicas: 2, serviceType: 'NodePort', logLevel: 'DEBUG', hasAccessLog: true });
  expect(values.ports).toEqual([
    { name: 'web', port: 8000, protocol: 'TCP', exposedPort: 8080, nodePort: 30_080 },
    { name: 'websecure', port: 8443, protocol: 'TCP', exposedPort: undefined, nodePort: undefined },
    { name: 'postgres', port: 5432, protocol: 'TCP', exposedPort: 5432, nodePort: undefined },
  ]);
});

test.each([
  [
    'a value that is not known',
    { persistence: { enabled: true } },
    'the value persistence for traefik: kagent does not',
  ],
  [
    'one below a known one',
    { deployment: { kind: 'DaemonSet' } },
    'the value deployment.kind for traefik: kagent does not',
  ],
  ['a port that has no number', { ports: { mqtt: {} } }, 'the value ports.mqtt.port for traefik: it is missing'],
  ['a port that is taken', { ports: { mqtt: { port: 8000 } } }, '8000 is the port of web'],
  ['the port of the probes', { ports: { web: { port: 8080 } } }, '8080 is the port of probes or metrics'],
  [
    'an argument that is none',
    { additionalArguments: ['api'] },
    'additionalArguments.0 for traefik: an argument begins',
  ],
  ['another kind of value', ['web'], 'the value itself for traefik'],
])('%s is refused with its name', (_, values, message) => {
  expect(() => readValues(values)).toThrow(message);
});
