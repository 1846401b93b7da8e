import { expect, test } from 'vitest';
import { kubeProxyHealthz } from '../../../../src/agent/node/kube-proxy.ts';
import { flagsOf } from '../../../../src/shared/arguments/arguments.ts';

test.each([
  [['healthz-bind-address=127.0.0.1:10256'], '127.0.0.1', 10_256],
  [['healthz-bind-address=0.0.0.0:10300'], '127.0.0.1', 10_300],
  [['healthz-bind-address=10.0.0.7:80'], '10.0.0.7', 80],
  [['healthz-bind-address=10.0.0.7'], '10.0.0.7', 10_256],
  [['healthz-bind-address=10.0.0.7', 'healthz-port=7'], '10.0.0.7', 7],
  [['healthz-bind-address=[::]:7'], '127.0.0.1', 7],
  [['healthz-bind-address=[::1]:7'], '::1', 7],
  [['healthz-bind-address=::1'], '::1', 10_256],
])('with %j kube-proxy is asked at %s, port %i', (args, host, port) => {
  expect(kubeProxyHealthz(flagsOf(args))).toEqual({ host, port });
});
