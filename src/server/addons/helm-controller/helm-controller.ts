/**
 * k3s's HelmCharts and HelmChartConfigs, carried out by helm's own SDK in a child that lives as long as one installation, upgrade or
 * removal: no job, no image, and nothing that runs in between.
 */
import type { Component } from '../../../shared/component/component.ts';
import { keyOf, unlessGone } from '../../../kube/kube.ts';
import type { KubeClient, KubeObject } from '../../../kube/kube.ts';
import { helmUser } from '../../cluster/cluster.ts';
import { backgroundComponent } from '../background.ts';
import type { Addon, AddonContext } from '../types.ts';
import { Controller } from './controller.ts';
import { definitionPaths, definitions } from './definitions.ts';
import { chartsPath, configsPath, finalizer, finalizersOf, pathOf } from './objects.ts';
import type { HelmChart } from './objects.ts';

const name = 'helm-controller';

export const helmController: Addon = {
  name,
  summary: "k3s's HelmChart objects",
  images: [],
  manifest: () => [`${written}${definitions}`, rights].join('---\n'),
  component: controllerComponent,
  removal: withoutController,
};

const written = '# Written by kagent at each start; changes here are lost.\n';

/** A chart may hold anything, so whoever installs it may do anything. */
const rights = `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: ${helmUser}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: cluster-admin
subjects:
- apiGroup: rbac.authorization.k8s.io
  kind: User
  name: ${helmUser}
`;

function controllerComponent(context: AddonContext): Component {
  // The manifests first: they define the kinds.
  return backgroundComponent({ name, log: context.log, after: ['manifests'] }, (works) => {
    const controller = new Controller(context);
    works.repeat((signal, isWell) => controller.followConfigs(signal, isWell));
    works.repeat((signal, isWell) => controller.followCharts(signal, isWell));
    works.atEnd(() => controller.stop());
  });
}

/** Releases keep running. Objects stay as well, but no finalizer keeps them; where there is none, their kinds go. */
function withoutController({ kube, log }: AddonContext): Component {
  return backgroundComponent({ name, log }, (works) => {
    works.once(async (signal) => {
      const charts = await listed<HelmChart>(kube, chartsPath, signal);
      for (const chart of charts) await releaseFinalizer(kube, chart, signal);
      const configs = await listed(kube, configsPath, signal);
      const left = [...charts, ...configs];
      if (left.length > 0)
        log.info('kinds of helm charts stay, since there are objects of theirs', { count: left.length });
      else for (const path of definitionPaths) await kube.delete(path, {}, signal).catch(unlessGone);
    });
  });
}

/** None where the kind is unknown. */
async function listed<T extends KubeObject = KubeObject>(kube: KubeClient, path: string, signal: AbortSignal) {
  const list = await kube.find<{ readonly metadata: KubeObject['metadata']; readonly items: readonly T[] }>(
    path,
    signal,
  );
  return list?.items ?? [];
}

async function releaseFinalizer(kube: KubeClient, chart: HelmChart, signal: AbortSignal): Promise<void> {
  const finalizers = finalizersOf(chart);
  if (!finalizers.includes(finalizer)) return;
  const { resourceVersion } = chart.metadata;
  const metadata = { finalizers: finalizers.filter((one) => one !== finalizer), resourceVersion };
  await kube.mergePatch(pathOf(chartsPath, keyOf(chart)), { metadata }, signal).catch(unlessGone);
}
