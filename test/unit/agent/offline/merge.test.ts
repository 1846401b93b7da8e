import { expect, test } from 'vitest';
import { merged } from '../../../../src/agent/offline/merge.ts';

test('objects are merged, null takes away, other lists are replaced', () => {
  const object = { metadata: { annotations: { a: '1', b: '2' } }, status: { images: ['old'], phase: 'Pending' } };
  const patch = { metadata: { annotations: { a: null, c: '3' } }, status: { images: ['new'] } };
  expect(merged(object, patch)).toEqual({
    metadata: { annotations: { b: '2', c: '3' } },
    status: { images: ['new'], phase: 'Pending' },
  });
});

test('conditions are merged by their type, in the words of a kubelet', () => {
  const object = {
    status: { conditions: [{ type: 'Ready', status: 'False', reason: 'x' }, { type: 'DiskPressure' }] },
  };
  const patch = {
    status: {
      '$setElementOrder/conditions': [{ type: 'Ready' }],
      conditions: [{ type: 'Ready', status: 'True' }, { type: 'New' }],
    },
  };
  expect(merged(object, patch)).toEqual({
    status: {
      conditions: [{ type: 'Ready', status: 'True', reason: 'x' }, { type: 'DiskPressure' }, { type: 'New' }],
    },
  });
});

test('entries are deleted, and lists replaced, where the patch says so', () => {
  const object = { podIPs: [{ ip: '10.42.1.4' }], addresses: [{ type: 'InternalIP', address: 'old' }] };
  const patch = {
    podIPs: [{ ip: '10.42.1.2' }, { ip: '10.42.1.4', $patch: 'delete' }],
    addresses: [{ type: 'Hostname', address: 'a1' }, { $patch: 'replace' }],
  };
  expect(merged(object, patch)).toEqual({
    podIPs: [{ ip: '10.42.1.2' }],
    addresses: [{ type: 'Hostname', address: 'a1' }],
  });
});
