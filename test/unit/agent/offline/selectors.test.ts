import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../../../../src/kube/kube.ts';
import { fieldFilter, labelFilter, selectedName } from '../../../../src/agent/offline/selectors.ts';

const object = (labels: Readonly<Record<string, string>>): KubeObject => ({
  metadata: { name: 'web', namespace: 'default', labels },
  spec: { nodeName: 'a1', clusterIP: '10.43.0.10', replicas: 2 },
});

describe('label selectors', () => {
  const holds = (selector: string, labels: Readonly<Record<string, string>>) => labelFilter(selector)?.(object(labels));

  test('kube-proxy leaves out headless Services and those of another proxy', () => {
    const selector = '!service.kubernetes.io/headless,!service.kubernetes.io/service-proxy-name';
    expect(holds(selector, { app: 'web' })).toBe(true);
    expect(holds(selector, { 'service.kubernetes.io/headless': '' })).toBe(false);
    expect(holds(selector, { 'service.kubernetes.io/service-proxy-name': 'mine' })).toBe(false);
  });

  test.each([
    ['', {}, true],
    ['app', { app: '' }, true],
    ['app', {}, false],
    ['app=web', { app: 'web' }, true],
    ['app==web', { app: 'api' }, false],
    ['app!=web', {}, true],
    ['app!=web', { app: 'web' }, false],
    ['app=', { app: '' }, true],
    ['app in (web,api),tier', { app: 'api', tier: 'x' }, true],
    ['app in (web, api)', {}, false],
    ['app notin (web,api)', {}, true],
    ['app notin (web,api)', { app: 'web' }, false],
  ])('%s of %o is %s', (selector, labels, expected) => {
    expect(holds(selector, labels)).toBe(expected);
  });

  test('what is not understood is not taken for everything', () => {
    expect(labelFilter('app in web')).toBeUndefined();
    expect(labelFilter('a b')).toBeUndefined();
  });
});

describe('field selectors', () => {
  test.each([
    ['', true],
    ['spec.nodeName=a1', true],
    ['spec.nodeName=a2', false],
    ['spec.clusterIP!=None', true],
    ['metadata.name=web,metadata.namespace=default', true],
    ['metadata.name=web,metadata.namespace=other', false],
    ['spec.missing=', true],
    ['spec.replicas==2', true],
  ])('%s is %s', (selector, expected) => {
    expect(fieldFilter(selector)?.(object({}))).toBe(expected);
  });

  test('what is not understood is not taken for everything', () => {
    expect(fieldFilter('spec.nodeName')).toBeUndefined();
  });

  test('the one name that is asked for', () => {
    expect(selectedName('metadata.name=web')).toBe('web');
    expect(selectedName('spec.nodeName=a1,metadata.name==kube-root-ca.crt')).toBe('kube-root-ca.crt');
    expect(selectedName('spec.nodeName=a1')).toBeUndefined();
  });
});
