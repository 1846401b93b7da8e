import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { askDns, clusterDns } from '../../../../src/agent/network/cluster-dns.ts';
import type { AskDns } from '../../../../src/agent/network/cluster-dns.ts';
import { createEventLog } from '../../../../src/shared/events/events.ts';
import { silentLog } from '../../../../src/shared/log/log.ts';
import { eventually } from '../../../helpers/wait.ts';

const settings = {
  clusterCidr: '10.42.0.0/16',
  serviceCidr: '10.43.0.0/16',
  clusterDns: '127.0.0.1',
  clusterDomain: 'cluster.local',
  flannelBackend: 'vxlan',
} as const;
const patient = { retryMs: 1, checkEveryMs: 1, startMs: 60_000, graceMs: 60_000 };
const impatient = { ...patient, startMs: 0, graceMs: 0 };

/** A cluster whose DNS answers, or fails with this code. */
async function started(timing = patient, isDisabled = false) {
  const dns: { failure: string | undefined; asked: string[] } = { failure: 'ECONNREFUSED', asked: [] };
  const events = createEventLog({ keep: 10 });
  const ask: AskDns = async (server, name) => {
    dns.asked.push(`${server} ${name}`);
    return dns.failure;
  };
  const component = clusterDns({
    after: [],
    settings: () => ({ ...settings, ...(isDisabled && { disableCoredns: true }) }),
    events,
    log: silentLog,
    ask,
    timing,
  });
  onTestFinished(() => component.stop());
  await component.start(new AbortController().signal);
  const becomes = (status: string) => eventually(() => component.health().status === status, { withinMs: 5000 });
  return { dns, component, becomes, reasons: () => events.recent(10).map(({ reason }) => reason) };
}

test('no start waits for it: it is not known how it is until there is an answer', async () => {
  const { component, dns, becomes, reasons } = await started();
  expect(component.health()).toMatchObject({ status: 'Unknown', message: 'no answer from 127.0.0.1 yet' });
  dns.failure = undefined;
  await becomes('True');
  expect(dns.asked[0]).toBe('127.0.0.1 kubernetes.default.svc.cluster.local');
  expect(reasons()).toEqual([]);
});

test('an answer that does not come in time is False, with what to do; one that comes then is True', async () => {
  const { component, dns, becomes, reasons } = await started(impatient);
  await becomes('False');
  expect(component.health()).toMatchObject({ reason: 'NoAnswer' });
  expect(component.health().message).toMatch(/^no Pod of CoreDNS is Ready [^;]*; see 'kagent doctor'/);
  dns.failure = undefined;
  await becomes('True');
  expect(reasons()).toEqual(['ClusterDNSNotAnswering', 'ClusterDNSAnswers']);
});

test('a Pod of CoreDNS that moves is no fault; one that stays away is', async () => {
  const { component, dns, becomes } = await started({ ...patient, graceMs: 50 });
  dns.failure = undefined;
  await becomes('True');
  dns.failure = 'ETIMEOUT';
  const asked = dns.asked.length;
  await eventually(() => dns.asked.length > asked);
  expect(component.health().status).toBe('True');
  await becomes('False');
  expect(component.health().message).toMatch(/^no answer from 127\.0\.0\.1 within 2 s: packets .* dropped; /);
});

test.each([
  ['ENETUNREACH', /^this host has no route to 127\.0\.0\.1; ip route add 10\.43\.0\.0\/16/],
  ['ENOTFOUND', /does not resolve names of cluster\.local \(ENOTFOUND\); .*logs deployment\/coredns/],
])('%s has its own words', async (code, words) => {
  const { component, dns, becomes } = await started({ ...patient, startMs: 30 });
  dns.failure = code;
  await becomes('False');
  expect(component.health().message).toMatch(words);
});

test('a cluster without CoreDNS of kagent’s is asked nothing', async () => {
  const { component, dns } = await started(impatient, true);
  expect(component.health()).toMatchObject({ status: 'True', reason: 'NotApplicable' });
  expect(dns.asked).toEqual([]);
});

test('stopped before it ever started, or twice, it is at its end', async () => {
  const component = clusterDns({
    after: [],
    settings: () => settings,
    events: createEventLog({ keep: 1 }),
    log: silentLog,
  });
  await component.stop();
  await component.stop();
  expect(component.health().status).toBe('Unknown');
});

test('a real question that nobody answers is refused or timed out, never left open', async () => {
  const silent = createSocket('udp4');
  onTestFinished(() => void silent.close());
  silent.bind(0, '127.0.0.53');
  await once(silent, 'listening');
  expect(await askDns(`127.0.0.53:${silent.address().port}`, 'kubernetes.default.svc.cluster.local')).toBe('ETIMEOUT');
  expect(await askDns('127.0.0.54:9', 'kubernetes.default.svc.cluster.local')).toBe('ECONNREFUSED');
});
