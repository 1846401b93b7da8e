/**
 * Volumes that are folders of a node: k3s's StorageClass `local-path`, its provisioner's name and its configuration. The server
 * decides, the node's agent makes and removes the folder: no helper pod, no image.
 */
import type { Component } from '../../../shared/component/component.ts';
import { isConflict, unlessGone } from '../../../kube/kube.ts';
import { backgroundComponent } from '../background.ts';
import type { Addon, AddonContext } from '../types.ts';
import { configName, configText } from './config.ts';
import { configPath, Controller } from './controller.ts';
import { provisioner } from './objects.ts';

const name = 'local-storage';

export const localStorage: Addon = {
  name,
  summary: 'volumes in folders of a node (StorageClass local-path)',
  images: [],
  manifest: () => storageClass,
  component: provisionerComponent,
  removal: withoutProvisioner,
};

const storageClass = `# Written by kagent at each start; changes here are lost. Paths are set in the ConfigMap local-path-config.
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: local-path
  annotations:
    storageclass.kubernetes.io/is-default-class: "true"
provisioner: ${provisioner}
volumeBindingMode: WaitForFirstConsumer
reclaimPolicy: Delete
`;

function provisionerComponent(context: AddonContext): Component {
  return backgroundComponent({ name, log: context.log }, (works) => {
    const controller = new Controller(context);
    works.once((signal) => applyConfig(context, signal));
    works.repeat((signal, isWell) => controller.followClaims(signal, isWell));
    works.repeat((signal, isWell) => controller.followVolumes(signal, isWell));
    works.atEnd(() => controller.stop());
  });
}

/** Volumes stay, and so does a configuration that a person has changed. */
function withoutProvisioner(context: AddonContext): Component {
  return backgroundComponent({ name, log: context.log }, (works) => {
    works.once((signal) => removeConfig(context, signal));
  });
}

/** What a person has changed since is theirs. */
async function applyConfig({ kube, localStoragePath }: AddonContext, signal: AbortSignal): Promise<void> {
  const data = { 'config.json': configText(localStoragePath) };
  const metadata = { name: configName, namespace: 'kube-system' };
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data };
  await kube.apply(configPath, object, { force: false }, signal).catch((error: unknown) => {
    if (!isConflict(error)) throw error;
  });
}

async function removeConfig({ kube, localStoragePath }: AddonContext, signal: AbortSignal): Promise<void> {
  const map = await kube.find(configPath, signal);
  const text = (map?.['data'] as Readonly<Record<string, string>> | undefined)?.['config.json'];
  if (text !== configText(localStoragePath)) return;
  await kube.delete(configPath, {}, signal).catch(unlessGone);
}
