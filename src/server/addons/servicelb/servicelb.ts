/**
 * Services of type LoadBalancer without pods: kube-proxy already handles packets to the addresses in a Service's status,
 * so those of the nodes are written there. Name, labels and events are those of k3s's ServiceLB.
 */
import type { Component } from '../../../shared/component/component.ts';
import { backgroundComponent } from '../background.ts';
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

function loadBalancer(context: AddonContext): Component {
  return backgroundComponent({ name, log: context.log }, (works) => {
    const wake = works.passes((signal) => controller.pass(signal));
    const controller = new Controller(context, wake);
    works.repeat((signal, isWell) => controller.follow(signal, () => [isWell, wake].forEach((tell) => tell())));
    works.atEnd(() => controller.stop());
  });
}

/** Where it is switched off: addresses that nobody keeps any more are taken out of the Services. */
function withoutLoadBalancer({ kube, log }: AddonContext): Component {
  return backgroundComponent({ name, log }, (works) => {
    works.once(async (signal) => {
      const { items } = await kube.get<{ readonly items: readonly ServiceObject[] }>(loadBalancers, signal);
      const left = items.filter((one) => isOurs(one) && ingressOf(one).length > 0 && !isWrittenByAnother(one));
      for (const { metadata } of left) await kube.mergePatch(statusPath(metadata), statusOf([]), signal);
    });
  });
}
