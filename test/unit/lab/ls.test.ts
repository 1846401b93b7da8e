import { expect, test } from 'vitest';
import { labTable, nodeStates } from '../../../src/lab/ls.ts';

const node = (name: string, ...conditions: readonly (readonly [type: string, status: string])[]) => ({
  metadata: { name },
  status: { conditions: conditions.map(([type, status]) => ({ type, status })) },
});

test('a node is Ready when the cluster says so, and NotReady in every other case', () => {
  const items = [
    node('s1', ['DiskPressure', 'False'], ['Ready', 'True']),
    node('a1', ['Ready', 'Unknown']),
    node('a2', ['Ready', 'False']),
    { metadata: { name: 'a3' }, status: {} },
  ];
  expect([...nodeStates(JSON.stringify({ items }))]).toEqual([
    ['s1', 'Ready'],
    ['a1', 'NotReady'],
    ['a2', 'NotReady'],
    ['a3', 'NotReady'],
  ]);
});

test('each host is a line, and no lab is a sentence', () => {
  const hosts = [{ name: 's1', role: 'server', address: '10.77.0.11', state: 'on', node: 'Ready' }] as const;
  expect(labTable([{ name: 'lab', dir: '/labs/lab', hosts }])).toBe(
    'LAB   HOST   ROLE     ADDRESS      STATE   NODE\nlab   s1     server   10.77.0.11   on      Ready\n',
  );
  expect(labTable([])).toContain('kagent lab up');
});
