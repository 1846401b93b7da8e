import { expect, onTestFinished, test } from 'vitest';
import { TraefikConfig } from '../../../../../src/server/addons/traefik/config.ts';
import { Controller } from '../../../../../src/server/addons/traefik/controller.ts';
import type { ControllerTiming } from '../../../../../src/server/addons/traefik/controller.ts';
import { deploymentPath } from '../../../../../src/server/addons/traefik/manifests.ts';
import { addonContext } from '../../../../helpers/addons.ts';
import { objectServer } from '../../../../helpers/object-server.ts';
import { eventually } from '../../../../helpers/wait.ts';

const deployments = '/apis/apps/v1/namespaces/kube-system/deployments';
const ingresses = '/apis/networking.k8s.io/v1/ingresses';
const ingress = { metadata: { name: 'web', namespace: 'shop' } };
const hourMs = 3_600_000;

/** A controller that knows everything there is: this Deployment and, if so, an Ingress; no other kind is known here. */
async function following(deployment: object, timing: ControllerTiming, hasIngress: boolean) {
  const { kube, set, patched, events } = await objectServer();
  const metadata = { name: 'traefik', namespace: 'kube-system' };
  set(deployments, 'traefik', { metadata, ...deployment });
  set(ingresses, 'web', hasIngress ? ingress : undefined);
  const controller = new Controller(addonContext({ kube }), new TraefikConfig(), () => {}, timing);
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const ends = () => {}; // with the test
  for (const kind of controller.routes.kinds) controller.routes.follow(kind, () => {}, stop.signal).catch(ends);
  let isListed = false;
  controller.followDeployment(() => (isListed = true), stop.signal).catch(ends);
  await eventually(() => isListed && controller.routes.isComplete);
  return { pass: () => controller.pass(stop.signal), patched, events };
}

const running = { spec: { replicas: 1 }, status: { availableReplicas: 1 } };

test('some time after the last route it ends', async () => {
  const usual = await following(running, { endedAfterMs: hourMs, readyWithinMs: hourMs }, false);
  expect(await usual.pass()).toMatchObject({ state: { reason: 'Serving' } });
  expect(usual.patched).toEqual([]);
  const due = await following(running, { endedAfterMs: 0, readyWithinMs: hourMs }, false);
  expect(await due.pass()).toMatchObject({ state: { reason: 'Idle' } });
  expect(due.patched).toEqual([{ path: deploymentPath, body: { spec: { replicas: 0 } } }]);
  await eventually(() => due.events.length === 1);
  expect(due.events).toEqual(['IngressEnded Traefik ends: there is no route for it any more']);
});

test('with a route it does not end', async () => {
  const { pass, patched } = await following(running, { endedAfterMs: 0, readyWithinMs: hourMs }, true);
  expect(await pass()).toMatchObject({ state: { reason: 'Serving' } });
  expect(patched).toEqual([]);
});

test('a pod that is not ready is a bad state after a while, with the next step', async () => {
  const waiting = { spec: { replicas: 1 } };
  const early = await following(waiting, { endedAfterMs: hourMs, readyWithinMs: hourMs }, true);
  expect(await early.pass()).toMatchObject({ state: { reason: 'Starting' } });
  const late = await following(waiting, { endedAfterMs: hourMs, readyWithinMs: 0 }, true);
  const { state } = await late.pass();
  expect(state).toMatchObject({ status: 'False', reason: 'NoPod' });
  expect(state.remedy).toContain('describe pods');
});
