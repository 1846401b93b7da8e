/**
 * Ingress: Traefik as k3s has it, by its names, from our own build (components/traefik). Its Service has the ports from the beginning;
 * its pod is there as long as there is something to serve.
 */
import type { Component } from '../../../shared/component/component.ts';
import { unlessGone } from '../../../kube/kube.ts';
import { backgroundComponent } from '../background.ts';
import type { Addon, AddonContext } from '../types.ts';
import { TraefikConfig } from './config.ts';
import { Controller } from './controller.ts';
import { removeDefinitions } from './definitions.ts';
import { isOwn, traefikObjects } from './manifests.ts';
import { readValues } from './values.ts';

const name = 'traefik';

export const traefik: Addon = {
  name,
  summary: 'Ingress, IngressRoute and the Gateway API, by Traefik',
  images: [name],
  component: ingress,
  removal: withoutIngress,
};

function ingress(context: AddonContext): Component {
  return backgroundComponent({ name, log: context.log, after: context.afterStart }, (works) => {
    const installed = Promise.withResolvers<void>();
    works.say({ reason: 'Starting', message: '' });
    const wake = works.passes(async (signal) => {
      const { state, dueMs } = await controller.pass(signal);
      works.say(state);
      return dueMs;
    });
    const configListed = Promise.withResolvers<void>();
    const config = new TraefikConfig();
    const controller = new Controller(context, config, wake);
    config.onChange(
      works.passes(async (signal) => {
        await orAborted(configListed.promise, signal);
        await controller.install(signal);
        installed.resolve();
        wake();
        return undefined;
      }),
    );
    works.repeat(async (signal, isWell) => {
      const listed = () => {
        configListed.resolve();
        isWell();
      };
      await config.follow(context.kube, listed, signal);
    });
    for (const kind of controller.routes.kinds)
      works.repeat(async (signal, isWell) => {
        await orAborted(installed.promise, signal);
        if (kind === 'IngressRoute') await controller.tellOldObjects(signal);
        await controller.routes.follow(kind, () => [isWell, wake].forEach((tell) => tell()), signal);
      });
    works.repeat(async (signal, isWell) => {
      await orAborted(installed.promise, signal);
      await controller.followDeployment(() => [isWell, wake].forEach((tell) => tell()), signal);
    });
  });
}

/** Rejects when `signal` ends it first. */
async function orAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  const ended = new Promise<never>((_, reject) => {
    const end = () => reject(signal.reason as Error);
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
  await Promise.race([promise, ended]);
}

/** What a person has made stays, and with it the definitions of its kinds. */
function withoutIngress(context: AddonContext): Component {
  const { kube, log } = context;
  return backgroundComponent({ name, log, after: context.afterStart }, (works) => {
    works.say({ reason: 'Disabled', message: '' });
    works.once(async (signal) => {
      const objects = traefikObjects(readValues(undefined), context.image(name), 0);
      for (const { path } of objects.toReversed()) {
        const there = await kube.find(path, signal);
        const { uid } = there?.metadata ?? {};
        if (there === undefined || uid === undefined || !isOwn(there.metadata)) continue;
        await kube.delete(path, { uid }, signal).catch(unlessGone);
      }
      const kept = await removeDefinitions(context, signal);
      if (kept.length > 0)
        works.say({
          reason: 'DefinitionsStay',
          message: `the definitions of ${kept.join(' and ')} stay, since there are objects of them`,
        });
    });
  });
}
