import { expect, test } from 'vitest';
import { serviceRoute } from '../../../../src/agent/network/service-route.ts';
import { silentLog } from '../../../../src/shared/log/log.ts';
import { fakeRoot } from '../../host/checks/fake-root.ts';

const header = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
const neighbours = 'eth0\t0000630A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n';
const out = 'eth0\t00000000\t0100630A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n';
const own = 'lo\t00002B0A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n';

async function commands(rows: string, ip?: () => Promise<never>) {
  const typed: string[] = [];
  const component = serviceRoute({
    after: [],
    serviceCidr: () => '10.43.0.0/16',
    log: silentLog,
    root: fakeRoot({ '/proc/net/route': header + rows }),
    ip: ip ?? (async (...args) => void typed.push(args.join(' '))),
  });
  await component.start(new AbortController().signal);
  await component.stop();
  return { typed, health: component.health() };
}

test('Services get a route of their own where no route leads out', async () => {
  expect((await commands(neighbours)).typed).toEqual(['-4 route add 10.43.0.0/16 dev lo protocol 107']);
});

test('it goes when a default route is back, and only then', async () => {
  expect((await commands(neighbours + own)).typed).toEqual([]);
  expect((await commands(neighbours + own + out)).typed).toEqual(['-4 route delete 10.43.0.0/16 dev lo protocol 107']);
});

test('with a default route nothing is done', async () => {
  expect((await commands(neighbours + out)).typed).toEqual([]);
});

test('a route that cannot be made does not keep the node from starting, and is told', async () => {
  const { health } = await commands(neighbours, () => Promise.reject(new Error('RTNETLINK answers: no')));
  expect(health).toMatchObject({ status: 'False', message: 'RTNETLINK answers: no' });
});
