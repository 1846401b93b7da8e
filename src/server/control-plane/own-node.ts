import type { Component } from '../../shared/component/component.ts';
import { conditionTracker } from '../../shared/component/component.ts';
import { messageOf, remedyOf } from '../../shared/errors.ts';
import type { Log } from '../../shared/log/log.ts';
import type { KubeClient } from '../../kube/kube.ts';
import { untilStopped } from '../../shared/until-stopped.ts';

const controlPlaneLabel = 'node-role.kubernetes.io/control-plane';
const etcdLabel = 'node-role.kubernetes.io/etcd';

/**
 * Keeps the labels by which people see that a node runs the control plane, and is a member of the etcd; a kubelet may not set them on itself.
 * It is up at once and works in the background: the node registers later, and may be deleted and come back.
 */
export function labelOwnNode(options: {
  readonly kube: KubeClient;
  readonly nodeName: string;
  readonly isMember: boolean;
  readonly log: Log;
}): Component {
  const { kube, nodeName, isMember, log } = options;
  const labels = { [controlPlaneLabel]: 'true', ...(isMember && { [etcdLabel]: 'true' }) };
  const condition = conditionTracker();
  const stopping = new AbortController();
  let work = Promise.resolve();

  const keepLabel = async (signal: AbortSignal) => {
    for await (const event of kube.watch(`/api/v1/nodes?fieldSelector=metadata.name%3D${nodeName}`, signal)) {
      if (event.type !== 'ADDED' && event.type !== 'MODIFIED') continue;
      const known = event.object.metadata.labels;
      if (!Object.keys(labels).every((label) => known?.[label] === 'true')) {
        await kube.mergePatch(`/api/v1/nodes/${nodeName}`, { metadata: { labels } }, signal);
        log.info('node labelled', { node: nodeName, labels: Object.keys(labels).join() });
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
