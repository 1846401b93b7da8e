import { expect, test } from 'vitest';
import { defaultRoute, isRouted, routesOf } from '../../../../src/host/checks/routes.ts';

const header = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
const local = 'eth9\t0002A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n';
const out = (name: string, metric: number, flags = '0003') =>
  `${name}\t00000000\t0102A8C0\t${flags}\t0\t0\t${metric}\t00000000\t0\t0\t0\n`;

test('a row of the kernel’s table is read as people write it', () => {
  expect(routesOf(header + local + out('eth0', 100))).toEqual([
    { device: 'eth9', cidr: '192.168.2.0/24', gateway: undefined, metric: 0 },
    { device: 'eth0', cidr: '0.0.0.0/0', gateway: '192.168.2.1', metric: 100 },
  ]);
  expect(routesOf('')).toEqual([]);
});

test('of several default routes the one with the lowest metric counts', () => {
  expect(defaultRoute(routesOf(header + local + out('wlan0', 600) + out('eth0', 100)))?.device).toBe('eth0');
  expect(defaultRoute(routesOf(header + local))).toBeUndefined();
});

test('a route that refuses leads nowhere', () => {
  const routes = routesOf(header + local + out('*', 0, '0200'));
  expect(isRouted('203.0.113.1', routes)).toBe(false);
  expect(isRouted('192.168.2.77', routes)).toBe(true);
});
