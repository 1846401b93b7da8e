import { expect, test } from 'vitest';
import type { KubeObject } from '../../../../src/kube/kube.ts';
import { usedByPods, usedByVolumes } from '../../../../src/agent/offline/used-by-pods.ts';

const pod = (spec: unknown): KubeObject => ({ metadata: { name: 'web', namespace: 'shop' }, spec });

test('what a pod names is found in volumes, projected volumes, env, envFrom, pull secrets and drivers', () => {
  const { secrets, configmaps, serviceaccounts, persistentvolumeclaims } = usedByPods([
    pod({
      serviceAccountName: 'seller',
      imagePullSecrets: [{ name: 'pull' }],
      volumes: [
        { name: 'a', secret: { secretName: 'volume' } },
        { name: 'b', configMap: { name: 'volume-map' } },
        {
          name: 'c',
          projected: {
            sources: [
              { secret: { name: 'projected' } },
              { configMap: { name: 'kube-root-ca.crt' } },
              { serviceAccountToken: { path: 'token' } },
            ],
          },
        },
        { name: 'd', csi: { driver: 'x', nodePublishSecretRef: { name: 'publish' } } },
        { name: 'e', persistentVolumeClaim: { claimName: 'data' } },
        { name: 'f', ephemeral: { volumeClaimTemplate: { spec: {} } } },
        { name: 'g', azureFile: { secretName: 'azure', shareName: 's' } },
        { name: 'h', cephfs: { monitors: ['m'], secretRef: { name: 'ceph' } } },
      ],
      initContainers: [{ envFrom: [{ secretRef: { name: 'init' } }] }],
      containers: [
        {
          env: [
            { name: 'secret', value: 'not a name' },
            { name: 'P', valueFrom: { secretKeyRef: { name: 'env', key: 'k' } } },
            { name: 'M', valueFrom: { configMapKeyRef: { name: 'env-map', key: 'k' } } },
          ],
          envFrom: [{ configMapRef: { name: 'from-map' } }],
        },
      ],
    }),
  ]);
  const names = ['azure', 'ceph', 'env', 'init', 'projected', 'publish', 'pull', 'volume'];
  expect([...secrets].toSorted()).toEqual(names.map((name) => `shop/${name}`));
  expect([...configmaps].toSorted()).toEqual(
    ['env-map', 'from-map', 'kube-root-ca.crt', 'volume-map'].map((name) => `shop/${name}`),
  );
  expect([...serviceaccounts]).toEqual(['shop/seller']);
  expect([...persistentvolumeclaims].toSorted()).toEqual(['shop/data', 'shop/web-f']);
});

test('a pod without any of these uses nothing', () => {
  const used = usedByPods([
    pod({ nodeSelector: { secret: 'x' }, containers: [{ name: 'c', command: ['secretRef'] }] }),
  ]);
  expect(Object.values(used).map((names: ReadonlySet<string>) => names.size)).toEqual([0, 0, 0, 0]);
});

test("a driver's volume brings its passwords and the note of its attachment, by the name the kubelet gives it", () => {
  const volume: KubeObject = {
    metadata: { name: 'pv' },
    spec: {
      csi: {
        driver: 'd',
        volumeHandle: 'h',
        nodeStageSecretRef: { name: 'stage', namespace: 'kube-system' },
        nodePublishSecretRef: { name: 'publish', namespace: 'shop' },
      },
    },
  };
  const { secrets, volumeattachments } = usedByVolumes([volume], 'a1');
  expect([...secrets].toSorted()).toEqual(['kube-system/stage', 'shop/publish']);
  // printf 'hda1' | sha256sum
  expect([...volumeattachments]).toEqual(['csi-54e4867ba2a40c95bab072b31567ffed8702351449ed925344afcff40719a4b6']);
});
