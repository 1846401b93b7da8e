import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { KubeObject } from '../../../../src/kube/kube.ts';
import { merged } from '../../../../src/agent/offline/merge.ts';
import { createMemory } from '../../../../src/agent/offline/memory.ts';
import { resources } from '../../../../src/agent/offline/resources.ts';
import { parseJson } from '../../../../src/shared/json/json.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const node = (resourceVersion: string, heartbeat: string, ready = 'True'): KubeObject => ({
  metadata: { name: 'a1', resourceVersion, managedFields: [{}] },
  status: {
    nodeInfo: {},
    images: [{ names: ['x'] }],
    conditions: [{ type: 'Ready', status: ready, lastHeartbeatTime: heartbeat }],
  },
});
const memoryIn = (dir: string, caHash = 'c', nodeName = 'a1') =>
  createMemory({ dir, cluster: () => ({ caHash, nodeName }) });

test('a heartbeat is no reason to write, a change is', () => {
  const dir = temporaryDir();
  const memory = memoryIn(dir);
  const path = join(dir, 'nodes.json');
  memory.save(resources.nodes, { resourceVersion: '1', items: [node('1', 'now')], absent: [] });
  const written = statSync(path).ino;
  expect(readFileSync(path, 'utf8')).not.toMatch(/images|managedFields|Heartbeat/);
  memory.save(resources.nodes, { resourceVersion: '2', items: [node('2', 'later')], absent: [] });
  expect(statSync(path).ino).toBe(written);
  expect(memory.load(resources.nodes)?.resourceVersion).toBe('1');
  memory.save(resources.nodes, { resourceVersion: '3', items: [node('3', 'later', 'False')], absent: [] });
  expect(memory.load(resources.nodes)).toMatchObject({ resourceVersion: '3', items: [{ metadata: { name: 'a1' } }] });
});

test('a memory of another cluster, of another node, or a damaged one is none', () => {
  const dir = temporaryDir();
  memoryIn(dir).save(resources.nodes, { resourceVersion: '1', items: [], absent: [] });
  expect(memoryIn(dir).load(resources.nodes)).toMatchObject({ items: [] });
  expect(memoryIn(dir, 'other').load(resources.nodes)).toBeUndefined();
  expect(memoryIn(dir, 'c', 'a2').load(resources.nodes)).toBeUndefined();
  expect(memoryIn(dir).load(resources.pods)).toBeUndefined();
  writeFileSync(join(dir, 'nodes.json'), '{"cluster":"c"');
  expect(memoryIn(dir).load(resources.nodes)).toBeUndefined();
});

test('what is too large is not kept, and what was known before is not either', () => {
  const memory = memoryIn(temporaryDir());
  const item = (size: number): KubeObject => ({ metadata: { name: 's', namespace: 'n' }, data: 'x'.repeat(size) });
  memory.save(resources.secrets, { resourceVersion: '1', items: [item(1)], absent: [] });
  const huge = { resourceVersion: '2', items: [item(33 * 1024 * 1024)], absent: [] };
  expect(() => memory.save(resources.secrets, huge)).toThrow(/would take/);
  expect(memory.load(resources.secrets)).toBeUndefined();
});

test('a pod whose numbers fill 64 bits is remembered as the server said it', () => {
  const memory = memoryIn(temporaryDir());
  const text =
    '{"metadata":{"name":"p","namespace":"default"},"spec":{"terminationGracePeriodSeconds":9223372036854775807}}';
  const pod = parseJson(text) as KubeObject;
  memory.save(resources.pods, { resourceVersion: '1', items: [pod], absent: [] });
  expect(JSON.stringify(memory.load(resources.pods)?.items)).toBe(`[${text}]`);
  const patched = merged(pod, parseJson('{"spec":{"a":-9223372036854775808}}') as KubeObject);
  expect(JSON.stringify(patched)).toBe(text.replace('7}}', '7,"a":-9223372036854775808}}'));
});
