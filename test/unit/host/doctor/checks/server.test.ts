import { expect, test } from 'vitest';
import { serverChecks } from '../../../../../src/host/doctor/checks/server.ts';
import { examinePath } from '../../../../../src/host/doctor/doctor.ts';
import type { ServerPath } from '../../../../../src/host/doctor/doctor.ts';
import {
  JoinRefusedError,
  ServerRefusedError,
  ServerTimeoutError,
} from '../../../../../src/agent/membership/membership.ts';
import { problemOf } from '../../../../../src/server/api/problem.ts';
import { TokenWrongError } from '../../../../../src/server/join/join.ts';
import { Refusal } from '../../../../../src/shared/protocol/refusal.ts';
import { clusterSettings } from '../../../../helpers/join-server.ts';

type Met = NonNullable<ServerPath['met']>;

const sizes = [576, 1280, 1500];
const all = { sent: sizes, came: sizes, isVxlanPort: true };
const url = 'https://192.168.0.9:9345';

function met(changes: Partial<Met> = {}, opened: Partial<Met['opened']> = {}): ServerPath {
  const answer = {
    port: 8472,
    mtu: 1500,
    yourAddress: '192.168.0.5',
    time: '2026-06-01T00:00:00.000Z',
    version: '0.1.0',
    apiserverUrls: [],
    settings: clusterSettings,
    ...opened,
  };
  const apiservers = [{ url: 'https://192.168.0.9:6443', failure: undefined }];
  const ownAddresses = ['127.0.0.1', '192.168.0.5'];
  return {
    url,
    met: { skewMs: 40, opened: answer, apiservers, mtu: 1500, ownAddresses, there: all, back: all, ...changes },
  };
}

async function seen(path: ServerPath): Promise<readonly string[]> {
  return (await examinePath(path)).findings.map(({ check, severity, what }) => `${severity} ${check}: ${what}`);
}

test('a path on which everything passes is fine in every respect', async () => {
  const { findings, fine } = await examinePath(met());
  expect(findings).toEqual([]);
  expect(fine).toEqual(serverChecks.map(({ name }) => name));
});

test('a server that is not reached is one finding, and nothing behind it is called fine', async () => {
  const { findings, fine } = await examinePath({ url, failure: new ServerRefusedError(url, undefined), isCut: true });
  expect(findings).toMatchObject([{ check: 'server-reached', severity: 'fatal', code: 'JOIN_REFUSED' }]);
  expect(fine).toEqual([]);
});

test('a token that is refused is no fault of the path, and the server says what helps', async () => {
  const { status, ...answer } = problemOf(new TokenWrongError());
  const failure = new JoinRefusedError(url, { status, ...Refusal.parse(answer) });
  const { findings } = await examinePath({ url, failure });
  expect(failure.message).toBe(`${url} refuses: ${answer.detail}`);
  expect(findings).toMatchObject([
    {
      severity: 'fatal',
      check: 'server-lets-in',
      what: `${url} refuses: the server does not know this token`,
      fix: 'copy it anew from server/node-token on the server',
      code: 'TOKEN_WRONG',
    },
  ]);
});

test('of an earlier server, which names no remedy, the whole sentence is shown', async () => {
  const failure = new JoinRefusedError(url, { status: 401, code: 'TOKEN_WRONG', detail: 'unknown; copy it anew' });
  expect(await seen({ url, failure })).toEqual([`fatal server-lets-in: ${url} refuses: unknown; copy it anew`]);
});

test.each([
  [
    'kube-apiserver is not reached',
    met({ apiservers: [{ url: 'https://a:6443', failure: new ServerTimeoutError('https://a:6443', undefined) }] }),
    ['fatal server-apiserver: https://a:6443 does not answer'],
  ],
  [
    'the clock is behind',
    met({ skewMs: -12_300 }),
    ['warning server-clock: this box’s clock is 12.3 s behind the server’s'],
  ],
  [
    'the clock is ahead',
    met({ skewMs: 6000 }),
    ['warning server-clock: this box’s clock is 6.0 s ahead of the server’s'],
  ],
  [
    'the server is older',
    met({}, { version: '0.0.9' }),
    ['warning server-version: this kagent is 0.1.0, the server’s is 0.0.9'],
  ],
  [
    'addresses are translated',
    met({}, { yourAddress: '198.51.100.7' }),
    ['warning server-same-network: the server sees this box as 198.51.100.7, which is no address of it'],
  ],
  [
    'UDP is dropped on the way there',
    met({ there: { ...all, came: [] } }),
    ['warning server-udp: no UDP packet to port 8472 came through from here to the server'],
  ],
  [
    'UDP is dropped on the way back',
    met({ back: { ...all, came: [] } }),
    ['warning server-udp: no UDP packet to port 8472 came through from the server to here'],
  ],
  [
    'the pods’ port could not be tried',
    met({ back: { ...all, isVxlanPort: false } }),
    [
      'note server-udp: UDP 8472 from the server to here was not tested, since its port is in use there; another port was',
    ],
  ],
  [
    'large packets vanish',
    met({ there: { ...all, came: [576, 1280] } }),
    [
      'warning server-mtu: packets of 1280 bytes come through from here to the server, those of 1500 bytes do not; the interfaces allow 1500',
    ],
  ],
  ['the MTUs differ', met({ mtu: 9000 }), ['warning server-mtu: the MTU is 9000 here and 1500 on the server']],
  [
    'the backend is another one',
    met({ there: { ...all, came: [] } }, { settings: { ...clusterSettings, flannelBackend: 'wireguard-native' } }),
    ['note server-udp: the cluster’s network is wireguard-native: what it needs between nodes was not tested'],
  ],
])('%s', async (_, way, findings) => {
  expect(await seen(way)).toEqual(findings);
});

const other = (failure: ServerTimeoutError | undefined, url = 'https://10.0.2.15:6443') => ({
  apiservers: [
    { url: 'https://192.168.0.9:6443', failure: undefined },
    { url, failure },
  ],
});

test('a server’s own address that leads elsewhere is told apart from a port that is closed', async () => {
  const timeout = new ServerTimeoutError('https://10.0.2.15:6443', undefined);
  const { findings } = await examinePath(met(other(timeout)));
  expect(findings).toMatchObject([{ check: 'server-address', fix: 'start the server with --node-ip 192.168.0.9' }]);
  expect(await seen(met({ ...other(timeout), ownAddresses: ['192.168.0.5', '10.0.2.15'] }))).toEqual([
    'warning server-address: the server’s own address, 10.0.2.15, is an address of this box as well',
  ]);
  expect(await seen(met(other(undefined)))).toEqual([]);
});
