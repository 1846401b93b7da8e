import { expect, test } from 'vitest';
import { labelOwnNode } from '../../../../src/server/control-plane/control-plane.ts';
import { silentLog } from '../../../../src/shared/log/log.ts';
import { kubeServer } from '../../../helpers/kube-server.ts';
import { eventually } from '../../../helpers/wait.ts';

test('the node is labelled when it appears, also after the first watch has failed', async () => {
  const patches: string[] = [];
  let watches = 0;
  const { kube } = await kubeServer(({ method, url, body }, response) => {
    if (method === 'PATCH') {
      patches.push(`${url} ${body}`);
      return void response.end('{"metadata":{"name":"box"}}');
    }
    watches += 1;
    if (watches === 1) return void response.writeHead(500).end('{}');
    response.write(`${JSON.stringify({ type: 'ADDED', object: { metadata: { name: 'box', labels: {} } } })}\n`);
  });
  const component = labelOwnNode({ kube, nodeName: 'box', isMember: false, log: silentLog });
  await component.start(new AbortController().signal);
  await eventually(() => patches.length > 0, { what: 'the label' });
  await component.stop();
  expect(patches).toEqual([
    '/api/v1/nodes/box {"metadata":{"labels":{"node-role.kubernetes.io/control-plane":"true"}}}',
  ]);
});
