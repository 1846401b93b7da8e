import { expect, test } from 'vitest';
import { readConfig, rootsFor } from '../../../../../src/server/addons/local-storage/config.ts';
import { volumePath } from '../../../../../src/server/addons/local-storage/path.ts';

const claim = {
  metadata: {
    name: 'data',
    namespace: 'shop',
    uid: 'u1',
    labels: { app: 'web' },
    annotations: { 'example.org/dir': 'deep/er' },
  },
};

test('a volume’s folder is named by its claim, as upstream’s provisioner names it', () => {
  expect(volumePath('/storage', claim, undefined)).toBe('/storage/pvc-u1_shop_data');
});

test('a pathPattern names fields, labels and annotations of the claim', () => {
  const pattern =
    '{{ .PVC.Namespace }}/{{.PVC.Name}}/{{ .PVC.Labels.app }}/{{ index .PVC.Annotations "example.org/dir" }}';
  expect(volumePath('/storage', claim, pattern)).toBe('/storage/shop/data/web/deep/er');
});

test.each([
  ['../{{ .PVC.Name }}', /not below/],
  ['{{ index .PVC.Annotations "evil" }}', /which the claim does not have/],
  ['/', /not below/],
  ['{{ .PVC.Spec.VolumeName }}', /may name/],
  ['{{ .Env.HOME }}', /may name/],
])('the pathPattern %s is refused', (pattern, reason) => {
  expect(() => volumePath('/storage', claim, pattern)).toThrow(reason);
});

test('an annotation that climbs out of the folder is refused', () => {
  const evil = { metadata: { ...claim.metadata, annotations: { dir: '../../etc' } } };
  expect(() => volumePath('/storage', evil, 'x/{{ .PVC.Annotations.dir }}')).toThrow(/not below \/storage/);
});

test('a node has the path of its own entry, or the one of nodes that are not listed', () => {
  const config = readConfig(
    '{"nodePathMap":[{"node":"DEFAULT_PATH_FOR_NON_LISTED_NODES","paths":["/a"]},{"node":"big","paths":["/b","/c"]},{"node":"none","paths":[]}]}',
  );
  expect(rootsFor(config, 'small', undefined)).toEqual(['/a']);
  expect(rootsFor(config, 'big', '/c')).toEqual(['/c']);
  expect(rootsFor(config, 'big', undefined).toSorted()).toEqual(['/b', '/c']);
  expect(() => rootsFor(config, 'none', undefined)).toThrow(/no path for the node none/);
  expect(() => rootsFor(config, 'big', '/d')).toThrow(/no path \/d for the node big/);
});

test.each([
  ['{', /config\.json of the ConfigMap kube-system\/local-path-config/],
  ['{"nodePathMap":[{"node":"a","paths":["/"]}]}', /nodePathMap\.0\.paths\.0: a path begins with \//],
  ['{"sharedFileSystemPath":"/s","nodePathMap":[{"node":"a","paths":["/b"]}]}', /exclude each other/],
])('the configuration %s is refused with what is wrong', (text, reason) => {
  expect(() => readConfig(text)).toThrow(reason);
});
