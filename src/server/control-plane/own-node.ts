import type { Component } from '../../shared/component/component.ts';
import { conditionTracker } from '../../shared/component/component.ts';
import { messageOf, remedyOf } from '../../shared/errors.ts';
import type { Log } from '../../shared/log/log.ts';
import type { KubeClient } from '../../kube/kube.ts';
import { untilStopped } from '../../shared/until-stopped.ts';

const label = 'node-role.kubernetes.io/control-plane';

/**
 * Keeps the label by which people see that a node runs the control plane; a kubelet may not set it on itself.
 * It is up at once and works in the background: the node registers later, and may be deleted and come back.
 */
export function labelOwnNode(options: {
  readonly kube: KubeClient;
  readonly nodeName: string;
  readonly log: Log;
}): Component {
  const { kube, nodeName, log } = options;
  const condition = conditionTracker();
  const stopping = new AbortController();
  let work = Promise.resolve();

  const keepLabel = async (signal: AbortSignal) => {
    for await (const event of kube.watch(`/api/v1/nodes?fieldSelector=metadata.name%3D${nodeName}`, signal)) {
      if (event.type !== 'ADDED' && event.type !== 'MODIFIED') continue;
      if (event.object.metadata.labels?.[label] !== 'true') {
        await kube.mergePatch(`/api/v1/nodes/${nodeName}`, { metadata: { labels: { [label]: 'true' } } }, signal);
        log.info('node labelled', { node: nodeName, label });
      }
      condition.set('True', 'Labelled', '');
    }
  };

  return {
    name: 'own-node',
    after: ['kube-apiserver'],
    async start() {
      condition.set('Unknown', 'NotRegistered', `the kubelet has not registered the node ${nodeName} yet`);
      work = untilStopped(keepLabel, stopping.signal, (error) => {
        condition.set('False', 'RequestFailed', messageOf(error), remedyOf(error));
        log.debug('own node is not watched', { error });
      });
    },
    async stop() {
      stopping.abort();
      await work;
    },
    health: () => condition.current(),
  };
}
