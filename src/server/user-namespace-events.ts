import { systemClock } from '../shared/clock.ts';
import type { Clock } from '../shared/clock.ts';
import { conditionTracker } from '../shared/component/component.ts';
import type { Component } from '../shared/component/component.ts';
import type { Log } from '../shared/log/log.ts';
import { untilStopped } from '../shared/until-stopped.ts';
import { isConflict, kubeEvent } from '../kube/kube.ts';
import type { KubeClient, KubeObject } from '../kube/kube.ts';

/** @see https://docs.kernel.org/filesystems/idmappings.html; tmpfs has it from this version on */
const idmappedTmpfsFrom = '6.3';
/** runc 1.5, libcontainer/mount_linux.go */
const runcError = /failed to set MOUNT_ATTR_IDMAP on (\S+):/;

interface PodEvent extends KubeObject {
  readonly involvedObject: {
    readonly kind?: string;
    readonly namespace?: string;
    readonly name?: string;
    readonly uid?: string;
  };
  readonly message?: string;
  readonly source?: { readonly host?: string };
}

interface NodeObject extends KubeObject {
  readonly status?: { readonly nodeInfo?: { readonly kernelVersion?: string } };
}

/**
 * A Pod with `hostUsers: false` that does not start says so in runc's words, which name neither the kernel nor what it lacks.
 * A second event on the Pod does. Costs one watch of the few events with that reason.
 */
export function userNamespaceEvents(options: {
  readonly kube: KubeClient;
  readonly nodeName: string;
  readonly log: Log;
  readonly clock?: Clock;
}): Component {
  const { kube, nodeName, log, clock = systemClock } = options;
  const condition = conditionTracker();
  const stopping = new AbortController();
  let work = Promise.resolve();

  const explain = async (event: PodEvent, path: string): Promise<void> => {
    const { involvedObject, source } = event;
    const { namespace = 'default', uid = '' } = involvedObject;
    const host = source?.host ?? '';
    const node = await kube.find<NodeObject>(`/api/v1/nodes/${host}`, stopping.signal);
    const kernel = node?.status?.nodeInfo?.kernelVersion ?? 'of unknown version';
    const body = kubeEvent({
      facts: { type: 'Warning', reason: 'KernelLacksIDMappedMounts', message: messageFor(host, kernel, path) },
      involvedObject,
      // Of this name once: kubelet tells of each attempt, and each watch of all that is there.
      name: `kagent-user-namespace.${uid}`,
      namespace,
      host: nodeName,
      clock,
    });
    await kube.create(`/api/v1/namespaces/${namespace}/events`, body, stopping.signal).catch((error: unknown) => {
      if (!isConflict(error)) throw error;
    });
  };
  const follow = async (signal: AbortSignal): Promise<void> => {
    for await (const { type, object } of kube.watch('/api/v1/events?fieldSelector=reason=Failed', signal)) {
      const event = object as PodEvent;
      const path = runcError.exec(event.message ?? '')?.[1];
      if (type !== 'DELETED' && path !== undefined && event.involvedObject.kind === 'Pod') await explain(event, path);
    }
  };

  return {
    name: 'user-namespace-events',
    after: ['kube-apiserver'],
    async start() {
      condition.set('True', 'Watching', '');
      work = untilStopped(follow, stopping.signal, (error) => log.debug('events are not watched', { error }));
    },
    async stop() {
      stopping.abort();
      await work;
    },
    health: () => condition.current(),
  };
}

function messageFor(host: string, kernel: string, path: string): string {
  return (
    `the kernel of ${host} (${kernel}) does not map user ids on the file system of ${path}, as hostUsers: false needs. ` +
    `For tmpfs, which holds tokens, Secrets and ConfigMaps, it takes Linux ${idmappedTmpfsFrom}. ` +
    `Boot a newer kernel, have the Pod run on a node with one, or leave hostUsers: false out.`
  );
}
