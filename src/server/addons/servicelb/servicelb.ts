/**
 * Services of type LoadBalancer without pods: kube-proxy already handles packets to the addresses in a Service's status,
 * so those of the nodes are written there. Name, labels and events are those of k3s's ServiceLB.
 */
import { conditionTracker } from '../../../shared/component/component.ts';
import type { Component } from '../../../shared/component/component.ts';
import { messageOf, remedyOf } from '../../../shared/errors.ts';
import { pause } from '../../../shared/pause.ts';
import { untilStopped } from '../../../shared/until-stopped.ts';
import type { Addon, AddonContext } from '../types.ts';
import { Controller, loadBalancers, statusOf, statusPath } from './controller.ts';
import { ingressOf, isOurs, isWrittenByAnother } from './objects.ts';
import type { ServiceObject } from './objects.ts';

const name = 'servicelb';

export const servicelb: Addon = {
  name,
  summary: 'addresses for Services of type LoadBalancer',
  images: [],
  component: loadBalancer,
  removal: withoutLoadBalancer,
};

/** One change seldom comes alone. */
const settleMs = 20;
const retryMs = 1000;

function loadBalancer(context: AddonContext): Component {
  const condition = conditionTracker();
  const stopping = new AbortController();
  let changed = Promise.withResolvers<void>();
  let works: readonly Promise<void>[] = [];
  const controller = new Controller(context, () => changed.resolve());
  const failed = (error: unknown) => {
    condition.set('False', 'RequestFailed', messageOf(error), remedyOf(error));
    context.log.debug('load balancers are not written', { error });
  };
  const passes = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      await changed.promise;
      await pause(settleMs, signal);
      changed = Promise.withResolvers();
      const again = (ms: number) => void pause(ms, signal).then(() => changed.resolve());
      try {
        const dueMs = await controller.pass(signal);
        if (dueMs !== undefined) again(dueMs);
        condition.set('True', 'Watching', '');
      } catch (error) {
        if (signal.aborted) return;
        failed(error);
        again(retryMs);
      }
    }
  };
  return {
    name,
    after: ['kube-apiserver'],
    async start() {
      condition.set('True', 'Watching', '');
      const { signal } = stopping;
      const follow = () => controller.follow(signal, () => changed.resolve());
      works = [untilStopped(follow, signal, failed), passes(signal)];
    },
    async stop() {
      stopping.abort();
      changed.resolve();
      await controller.stop();
      await Promise.all(works);
    },
    health: () => condition.current(),
  };
}

/** Where it is switched off: addresses that nobody keeps any more are taken out of the Services. */
function withoutLoadBalancer({ kube, log }: AddonContext): Component {
  const condition = conditionTracker();
  const stopping = new AbortController();
  let work = Promise.resolve();
  const takeBack = async (signal: AbortSignal): Promise<void> => {
    const { items } = await kube.get<{ readonly items: readonly ServiceObject[] }>(loadBalancers, signal);
    const left = items.filter((one) => isOurs(one) && ingressOf(one).length > 0 && !isWrittenByAnother(one));
    for (const { metadata } of left) await kube.mergePatch(statusPath(metadata), statusOf([]), signal);
    condition.set('True', 'Disabled', '');
    done.abort();
  };
  const done = new AbortController();
  return {
    name,
    after: ['kube-apiserver'],
    async start() {
      condition.set('True', 'Disabled', '');
      const signal = AbortSignal.any([stopping.signal, done.signal]);
      work = untilStopped(takeBack, signal, (error) => {
        condition.set('False', 'RequestFailed', messageOf(error), remedyOf(error));
        log.debug('load balancers are not removed', { error });
      });
    },
    async stop() {
      stopping.abort();
      await work;
    },
    health: () => condition.current(),
  };
}
