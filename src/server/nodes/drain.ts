import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../../shared/log/log.ts';
import type { Hello } from '../../shared/protocol/channel.ts';
import { stoppedRunAnnotation } from '../../shared/protocol/drain.ts';
import type { DrainRequest, DrainResponse } from '../../shared/protocol/drain.ts';
import { KubeError } from '../../kube/kube.ts';
import type { KubeClient, KubeObject } from '../../kube/kube.ts';
import type { NodeDirectory, NodeObject } from './directory.ts';

interface Pod extends KubeObject {
  readonly metadata: KubeObject['metadata'] & {
    readonly uid: string;
    readonly deletionTimestamp?: string;
    readonly ownerReferences?: readonly { readonly kind: string; readonly controller?: boolean }[];
  };
  readonly status?: { readonly phase?: string };
}

export interface DrainOptions {
  readonly kube: KubeClient;
  readonly nodeName: string;
  readonly request: DrainRequest;
  readonly log: Log;
}

const lookAgainMs = 500;

/**
 * Cordons the node and evicts its pods, as `kubectl drain --ignore-daemonsets --delete-emptydir-data` does, disruption
 * budgets included. A pod without a controller is left where it is: nobody would make it anew.
 * 1 cordon, with a note of who did; 2 evict, and ask again where a budget says no; 3 until none is left, or time is over, or
 * who asked has gone: then the node takes pods again.
 */
export async function drainNode(options: DrainOptions, signal: AbortSignal): Promise<DrainResponse> {
  const { kube, nodeName, log } = options;
  const wasOpen = await cordon(options, signal);
  let response: DrainResponse | undefined;
  try {
    response = await evictAll(options, signal);
    return response;
  } finally {
    if (wasOpen && response?.done !== true) await uncordon(kube, nodeName);
    log.info('node drained', { node: nodeName, done: response?.done ?? false, moved: response?.moved });
  }
}

async function evictAll({ kube, nodeName, request }: DrainOptions, signal: AbortSignal): Promise<DrainResponse> {
  const untilMs = performance.now() + request.timeoutMs;
  const seen = new Set<string>();
  for (;;) {
    const { movable, bare } = await podsOn(kube, nodeName, signal);
    for (const { metadata } of movable) seen.add(metadata.uid);
    if (movable.length === 0) {
      return { done: true, moved: seen.size, left: bare.map((pod) => ({ pod: nameOf(pod), reason: noController })) };
    }
    const left = await Promise.all(movable.map((pod) => evict(kube, pod, signal)));
    if (performance.now() > untilMs) return { done: false, moved: seen.size - movable.length, left };
    await delay(lookAgainMs, undefined, { signal });
  }
}

const noController = 'no controller would recreate it elsewhere';

/** @returns whether pods could come before */
async function cordon({ kube, nodeName, request }: DrainOptions, signal: AbortSignal): Promise<boolean> {
  const path = `/api/v1/nodes/${nodeName}`;
  const node = await kube.get<NodeObject>(path, signal);
  const byUs = node.metadata.annotations?.[stoppedRunAnnotation] !== undefined;
  if (node.spec?.unschedulable === true && !byUs) return false; // somebody else's, and stays so at the next start
  const metadata = { annotations: { [stoppedRunAnnotation]: request.run } };
  await kube.mergePatch(path, { metadata, spec: { unschedulable: true } }, signal);
  return true;
}

async function uncordon(kube: KubeClient, nodeName: string): Promise<void> {
  const metadata = { annotations: { [stoppedRunAnnotation]: null } };
  await kube.mergePatch(`/api/v1/nodes/${nodeName}`, { metadata, spec: { unschedulable: null } });
}

async function podsOn(kube: KubeClient, nodeName: string, signal: AbortSignal) {
  const path = `/api/v1/pods?fieldSelector=spec.nodeName%3D${nodeName}`;
  const { items } = await kube.get<{ readonly items: readonly Pod[] }>(path, signal);
  const running = items.filter(({ metadata, status }) => {
    const isMirror = metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined;
    const hasEnded = status?.phase === 'Succeeded' || status?.phase === 'Failed';
    return !isMirror && !hasEnded && controllerOf(metadata) !== 'DaemonSet';
  });
  const isBare = ({ metadata }: Pod) =>
    controllerOf(metadata) === undefined && metadata.deletionTimestamp === undefined;
  return { movable: running.filter((pod) => !isBare(pod)), bare: running.filter(isBare) };
}

function controllerOf({ ownerReferences = [] }: Pod['metadata']): string | undefined {
  return ownerReferences.find((owner) => owner.controller === true)?.kind;
}

/** @returns why it is still there */
async function evict(kube: KubeClient, pod: Pod, signal: AbortSignal): Promise<DrainResponse['left'][number]> {
  const { name, namespace = 'default', deletionTimestamp } = pod.metadata;
  const ending = { pod: nameOf(pod), reason: 'it is still terminating' };
  if (deletionTimestamp !== undefined) return ending;
  const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } };
  try {
    await kube.create(`/api/v1/namespaces/${namespace}/pods/${name}/eviction`, eviction, signal);
    return ending;
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    return { pod: nameOf(pod), reason: error.message }; // 429: a disruption budget; 404: it is gone
  }
}

function nameOf({ metadata }: Pod): string {
  return `${metadata.namespace}/${metadata.name}`;
}

/** A node that was drained in order to stop takes pods again as soon as another run of its kagent says hello. */
export function reopenStarted(options: {
  readonly kube: KubeClient;
  readonly directory: NodeDirectory;
  readonly helloOf: (nodeName: string) => Hello | undefined;
  readonly log: Log;
}): { check(nodeName: string): void } {
  const { kube, directory, helloOf, log } = options;
  return {
    check(nodeName) {
      const stopped = directory.get(nodeName)?.metadata.annotations?.[stoppedRunAnnotation];
      const run = helloOf(nodeName)?.run;
      if (stopped === undefined || run === undefined || stopped === run) return;
      uncordon(kube, nodeName).then(
        () => log.info('node accepts pods again', { node: nodeName }),
        (error: unknown) => log.debug('node not uncordoned', { node: nodeName, error }),
      );
    },
  };
}
