/** The walk to a server over real TLS and UDP on loopback. */
import { expect, test } from 'vitest';
import { askSupervisor, pinnedCa, walkToServer } from '../../../src/agent/membership/membership.ts';
import { createProbes } from '../../../src/server/probe/probe.ts';
import { systemClock } from '../../../src/shared/clock.ts';
import { pathsOf } from '../../../src/shared/paths.ts';
import { ProbeOpened, ProbeSeen } from '../../../src/shared/protocol/probe.ts';
import { Secret } from '../../../src/shared/secret.ts';
import { parseToken } from '../../../src/shared/token/token.ts';
import { clusterSettings, joinServer } from '../../helpers/join-server.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

const signal = new AbortController().signal;
const request = { id: '6f9619ff-8b86-4d01-b42d-00cf4fc964ff', port: 9, mtu: 1500 };

async function server() {
  const servers = { current: () => [{ supervisorUrl: 'https://127.0.0.1:1', apiserverUrl: 'https://127.0.0.1:1' }] };
  const probes = createProbes({ version: '1.2.3', servers, settings: clusterSettings });
  const { url, tokens } = await joinServer({ api: { probes } });
  const walk = (token: Secret | undefined) => walkToServer({ url, token, paths: pathsOf(temporaryDir()) }, signal);
  const caPem = await pinnedCa({ url, caHash: undefined, clock: systemClock }, signal);
  const proof = { secret: parseToken(tokens.agentToken.reveal()).secret };
  return { url, token: tokens.agentToken, walk, asked: { url, caPem, proof } };
}

test('every size comes through in both directions, and what does not answer is named', async () => {
  const { walk, token } = await server();
  const { met, failure } = await walk(token);
  expect(failure).toBeUndefined();
  expect(met?.there.came).toEqual(met?.there.sent);
  expect(met?.back.came).toEqual(met?.back.sent);
  expect(met?.opened).toMatchObject({ version: '1.2.3', yourAddress: '127.0.0.1' });
  expect(Math.abs(met?.skewMs ?? Infinity)).toBeLessThan(5000);
  expect(met?.apiservers.map((one) => one.failure?.code)).toEqual(['JOIN_REFUSED']);
});

test('without a token, or with a wrong one, the walk ends where it would join', async () => {
  const { walk } = await server();
  expect((await walk(undefined)).failure?.code).toBe('JOIN_NO_TOKEN');
  expect((await walk(new Secret('wrong'))).failure?.code).toBe('TOKEN_WRONG');
});

test('a server that knows nothing of it says so', async () => {
  const { url, failure } = await walkToServer(
    { url: 'https://127.0.0.1:1', token: new Secret('short'), paths: pathsOf(temporaryDir()) },
    signal,
  );
  expect([url, failure?.code]).toEqual(['https://127.0.0.1:1', 'JOIN_REFUSED']);
});

test('an address has one test at a time, so that nobody can ask for a flood', async () => {
  const { asked } = await server();
  const open = (id: string) =>
    askSupervisor({ ...asked, path: '/v1/probes', body: { ...request, id }, schema: ProbeOpened }, signal);
  await open(request.id);
  await expect(open(request.id.replace('6f', '7f'))).rejects.toMatchObject({ code: 'PROBE_BUSY', status: 429 });
});

test('a test that nobody began has nothing to tell', async () => {
  const { asked } = await server();
  const seen = askSupervisor({ ...asked, path: `/v1/probes/${request.id}`, schema: ProbeSeen }, signal);
  await expect(seen).rejects.toMatchObject({ code: 'PROBE_UNKNOWN', status: 404 });
});

test('who may not join may not ask for packets either', async () => {
  const { asked } = await server();
  const stranger = { ...asked, proof: { secret: new Secret('guess') } };
  const refused = askSupervisor({ ...stranger, path: '/v1/probes', body: request, schema: ProbeOpened }, signal);
  await expect(refused).rejects.toMatchObject({ code: 'TOKEN_WRONG', status: 401 });
});
