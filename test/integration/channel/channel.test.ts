import { mkdirSync, readFileSync, renameSync, rmdirSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { channelPath, channelProtocol, closeCodes } from '../../../src/shared/protocol/channel.ts';
import type { FromServer } from '../../../src/shared/protocol/channel.ts';
import { requestDrain } from '../../../src/agent/membership/membership.ts';
import type { NodeIdentity } from '../../../src/agent/membership/membership.ts';
import { httpRequest } from '../../../src/shared/http/http.ts';
import { silentLog } from '../../../src/shared/log/log.ts';
import { pathsOf } from '../../../src/shared/paths.ts';
import { NodeStillReadyError, NodeUnknownError } from '../../../src/server/nodes/nodes.ts';
import { agentChannel, channelServer, hello, seen } from '../../helpers/channel-server.ts';
import { skewedClock } from '../../helpers/clock.ts';
import { temporaryDir } from '../../helpers/temporary.ts';
import { eventually } from '../../helpers/wait.ts';

const ready = { type: 'Ready', status: 'True' } as const;
const node = (name: string) => ({ metadata: { name }, status: { conditions: [ready] } });

/** A peer that speaks the protocol by hand. */
async function rawPeer(url: string, identity: NodeIdentity | undefined, said: readonly unknown[]) {
  const { serverCa, pairs } = identity?.files ?? {};
  const read = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path));
  const [ca, cert, key] = [serverCa, pairs?.kubelet.certPath, pairs?.kubelet.keyPath].map(read);
  const socket = new WebSocket(`${url.replace('https', 'wss')}${channelPath}`, [channelProtocol], {
    rejectUnauthorized: ca !== undefined,
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
  });
  const heard: FromServer[] = [];
  socket.on('message', (data: Buffer) => heard.push(JSON.parse(data.toString()) as FromServer));
  socket.on('open', () => said.forEach((message) => socket.send(JSON.stringify(message))));
  const ended = new Promise<string>((resolve) => {
    socket.on('close', (code, reason) => resolve(`${code} ${reason.toString()}`));
    socket.on('error', (error) => resolve(error.message));
  });
  onTestFinished(() => socket.terminate());
  return { socket, heard, ended };
}

test('a node that connects is seen by its heartbeats, and its conditions are written to the Node', async () => {
  const server = await channelServer();
  server.kube.put(node('a'));
  await agentChannel(await server.identity('a'), server.url);
  await eventually(() => server.nodes.session('a')?.heartbeat?.clockSkewMs !== undefined, { what: 'a measured clock' });
  const view = server.nodes.all().find(({ name }) => name === 'a');
  expect(view?.session?.heartbeat?.children).toEqual(seen.children);
  await eventually(() => server.kube.conditions('a').length === 5, { what: 'the conditions' });
  await eventually(() => server.kube.conditions('a').includes('kagent.sh/ClockSynced True WithinTolerance'));
  expect(server.kube.conditions('a')).toEqual(
    expect.arrayContaining([
      'Ready True undefined',
      'kagent.sh/Connected True HeartbeatsArrive',
      'kagent.sh/ChildrenHealthy True AllReady',
      'kagent.sh/CertificatesValid True Valid',
    ]),
  );
});

test('a Node that registers later, or loses its conditions, gets them then', async () => {
  const server = await channelServer();
  await agentChannel(await server.identity('a'), server.url);
  await eventually(() => server.nodes.session('a')?.heartbeat !== undefined, { what: 'a heartbeat' });
  server.kube.put(node('a'));
  await eventually(() => server.kube.conditions('a').length === 5, { what: 'the conditions' });
  server.kube.put(node('a'));
  expect(server.kube.conditions('a')).toHaveLength(1);
  await eventually(() => server.kube.conditions('a').length === 5, { what: 'the conditions again' });
});

test('a component that is down is told at once, and so is its return', async () => {
  const server = await channelServer();
  server.kube.put(node('a'));
  let state = { name: 'kubelet', state: 'ready', restarts: 0 };
  const channel = await agentChannel(await server.identity('a'), server.url, {
    look: () => Promise.resolve({ ...seen, children: [state] }),
  });
  await eventually(() => server.kube.conditions('a').includes('kagent.sh/ChildrenHealthy True AllReady'));
  state = { ...state, state: 'backing-off', lastExit: 'exit code 1' } as typeof state;
  channel.heartbeatNow();
  await eventually(() => server.kube.conditions('a').includes('kagent.sh/ChildrenHealthy False ComponentDown'));
  state = { ...state, state: 'ready', restarts: 1 };
  channel.heartbeatNow();
  await eventually(() => server.kube.conditions('a').includes('kagent.sh/ChildrenHealthy True AllReady'));
  expect(server.kube.events.map(({ reason, message }) => `${reason}: ${message}`)).toEqual([
    'ComponentDown: kubelet is backing-off (exit code 1)',
    'AllReady: every component runs',
    'ComponentRestarted: kubelet was restarted after it ended (exit code 1)',
  ]);
});

test('a clock that is off is measured and told', async () => {
  const server = await channelServer();
  server.kube.put(node('a'));
  await agentChannel(await server.identity('a'), server.url, { clock: skewedClock({ now: () => 90_000 }) });
  await eventually(() => server.kube.conditions('a').includes('kagent.sh/ClockSynced False Skewed'));
  expect(server.kube.events.at(-1)?.message ?? '').toContain('90 s ahead of the server');
});

test('an agent comes back after the server was away, as its next connection', async () => {
  const server = await channelServer();
  const supervisorUrls = () => [`https://127.0.0.1:${server.api.port()}`];
  await agentChannel(await server.identity('a'), server.url, { supervisorUrls });
  await eventually(() => server.nodes.session('a')?.generation === 1, { what: 'the first connection' });
  await server.api.stop();
  await eventually(() => server.nodes.session('a') === undefined, { what: 'its end' });
  await server.api.start(new AbortController().signal);
  const session = await eventually(() => server.nodes.session('a'), { withinMs: 30_000, what: 'the next connection' });
  expect(session.generation).toBe(2);
});

test('a newer connection of a node takes the place of the older one', async () => {
  const server = await channelServer();
  const identity = await server.identity('a');
  const first = await rawPeer(server.url, identity, [hello]);
  await eventually(() => server.nodes.session('a')?.generation === 1);
  const second = await rawPeer(server.url, identity, [hello]);
  expect(await first.ended).toContain(String(closeCodes.replaced));
  await eventually(() => second.heard.some((message) => message.type === 'welcome' && message.session === 2));
  expect(server.nodes.session('a')?.generation).toBe(2);
});

test('a copy of a machine is rejected while the machine is connected, and people hear of it', async () => {
  const server = await channelServer();
  const identity = await server.identity('a');
  await rawPeer(server.url, identity, [hello]);
  await eventually(() => server.nodes.session('a') !== undefined);
  const copy = await rawPeer(server.url, identity, [{ ...hello, machineId: 'two' }]);
  expect(await copy.ended).toContain(String(closeCodes.twin));
  expect(server.nodes.session('a')?.hello.machineId).toBe('one');
  expect(server.kube.events.map(({ reason }) => reason)).toEqual(['IdentityCopied']);
});

test('messages of a newer version are passed over, in both directions', async () => {
  const server = await channelServer();
  const identity = await server.identity('a');
  const newer = [
    { ...hello, more: 1 },
    { type: 'dance', steps: 3 },
    { type: 'beat', seq: 1, ...seen, more: true },
  ];
  const { heard } = await rawPeer(server.url, identity, newer);
  await eventually(() => heard.some((message) => message.type === 'ack' && message.seq === 1));
  await agentChannel(identity, server.url);
  await eventually(() => server.nodes.session('a')?.generation === 2);
  server.nodes.session('a')?.send({ type: 'sing', verse: 2 } as unknown as FromServer);
  expect(await server.nodes.session('a')?.command({ kind: 'log-level', level: 'debug' })).toBe('done: log-level');
});

test('what is no hello, no JSON or no node is not listened to', async () => {
  const server = await channelServer();
  const identity = await server.identity('a');
  const early = await rawPeer(server.url, identity, [{ type: 'beat', seq: 1, ...seen }]);
  expect(await early.ended).toContain(String(closeCodes.unreadable));
  const stranger = await rawPeer(server.url, undefined, [hello]);
  expect(await stranger.ended).toContain('401');
  expect(server.nodes.session('a')).toBeUndefined();
});

test('a node that was removed is rejected', async () => {
  const server = await channelServer();
  const identity = await server.identity('a');
  await server.identities.forget('a');
  const removed = await rawPeer(server.url, identity, [hello]);
  expect(await removed.ended).toContain(String(closeCodes.notJoined));
});

test('removing: a node in use is kept, a drained one is told to leave, an unknown one is said to be so', async () => {
  const server = await channelServer();
  server.kube.put(node('a'));
  const carriedOut: string[] = [];
  await agentChannel(await server.identity('a'), server.url, {
    carryOut: async (command) => {
      carriedOut.push(command.kind);
      return '';
    },
  });
  await eventually(() => server.nodes.session('a') !== undefined);
  await expect(server.nodes.remove('a', { force: false })).rejects.toThrow(NodeStillReadyError);
  await expect(server.nodes.remove('b', { force: false })).rejects.toThrow(NodeUnknownError);
  server.kube.put({ ...node('a'), spec: { unschedulable: true } });
  await eventually(() => server.nodes.all()[0]?.object?.spec?.unschedulable === true);
  await server.nodes.remove('a', { force: false });
  expect(carriedOut).toEqual(['leave']);
  expect(server.kube.deleted).toEqual(['a']);
});

test('a command that a node refuses is answered with its reason', async () => {
  const server = await channelServer();
  await agentChannel(await server.identity('a'), server.url, {
    carryOut: () => Promise.reject(new Error('not today')),
  });
  await eventually(() => server.nodes.session('a') !== undefined);
  const asked = server.nodes.session('a')?.command({ kind: 'restart', component: 'kubelet' });
  await expect(asked).rejects.toThrow('a did not do it: not today');
});

test('a day of a node is kept by the quarter of an hour', async () => {
  const server = await channelServer();
  await agentChannel(await server.identity('a'), server.url);
  await eventually(async () => ((await server.nodes.history('a')).at(-1)?.beats ?? 0) >= 2, { what: 'two heartbeats' });
  const [entry] = await server.nodes.history('a');
  expect(entry).toMatchObject({ connections: 1, restarts: 0, minDiskBytes: 1, maxLoad1: 0.5 });
  expect(Date.parse(entry?.from ?? '') % (15 * 60 * 1000)).toBe(0);
});

test('a node that falls silent counts as gone after fifteen seconds, though its connection is never closed', async () => {
  const server = await channelServer();
  server.kube.put(node('a'));
  const { socket } = await rawPeer(server.url, await server.identity('a'), [hello, { type: 'beat', seq: 1, ...seen }]);
  await eventually(() => server.kube.conditions('a').includes('kagent.sh/Connected True HeartbeatsArrive'));
  socket.pause(); // as a box without power: it answers nothing, and does not say goodbye
  await eventually(() => server.nodes.session('a') === undefined, { withinMs: 20_000, what: 'the end of its session' });
  const isTold = () => server.kube.conditions('a').includes('kagent.sh/Connected False NoHeartbeats');
  expect(await eventually(isTold, { withinMs: 30_000, what: 'the condition' })).toBe(true);
});

test('a kube-apiserver that fails for a moment is watched again, and the room says that it is well', async () => {
  const server = await channelServer();
  await eventually(() => server.kube.watches() === 1, { what: 'the first watch' });
  server.kube.fail(new Error('gone'));
  await eventually(() => server.nodes.health().status === 'False', { what: 'the failure' });
  await eventually(() => server.nodes.health().status === 'True', { what: 'a watch that goes well' });
  expect(server.kube.watches()).toBe(2);
});

test('a node has its own pods moved away, by its certificate; without one nothing is moved', async () => {
  const server = await channelServer();
  const paths = pathsOf(temporaryDir());
  await server.identity('a', paths);
  server.kube.put(node('a'));
  expect(await requestDrain(paths, { run: 'one', timeoutMs: 1000 })).toEqual({ done: true, moved: 0, left: [] });
  expect(server.kube.node('a')?.spec?.unschedulable).toBe(true);
  const agent = new Agent({ rejectUnauthorized: false });
  const request = { url: `${server.url}/v1/drain`, method: 'POST', body: '{"run":"one","timeoutMs":1}', agent };
  const { status, body } = await httpRequest({ ...request, timeoutMs: 5000 });
  expect({ status, body: JSON.parse(body) as unknown }).toMatchObject({
    status: 401,
    body: { code: 'API_NO_CERTIFICATE' },
  });
});

test('a node that was drained to stop is open again when another run says hello, and not before', async () => {
  const server = await channelServer();
  const paths = pathsOf(temporaryDir());
  const identity = await server.identity('a', paths);
  server.kube.put(node('a'));
  await requestDrain(paths, { run: 'one', timeoutMs: 1000 });
  const first = await agentChannel(identity, server.url, { hello: () => ({ ...hello, run: 'one' }) });
  await eventually(() => server.nodes.session('a')?.heartbeat !== undefined, { what: 'a heartbeat' });
  expect(server.kube.node('a')?.spec?.unschedulable).toBe(true);
  await first.stop();
  await agentChannel(identity, server.url, { hello: () => ({ ...hello, run: 'two' }) });
  await eventually(() => server.kube.node('a')?.spec?.unschedulable === undefined, { what: 'an open node' });
});

test('a box that has joined nothing, and one whose server is away, say so instead of draining', async () => {
  const paths = pathsOf(temporaryDir());
  const request = { run: 'one', timeoutMs: 1000 };
  await expect(requestDrain(paths, request)).rejects.toMatchObject({ code: 'DRAIN_NOT_JOINED' });
  const server = await channelServer();
  await server.identity('a', paths);
  await server.api.stop();
  await expect(requestDrain(paths, request)).rejects.toMatchObject({ code: 'DRAIN_SERVERS_AWAY' });
});

test('somebody who wants a node’s name is told of on the Node; one who gets it ends the connection of who had it', async () => {
  const server = await channelServer();
  server.kube.put(node('a'));
  const ended: number[] = [];
  await agentChannel(await server.identity('a'), server.url, {
    onNotJoined: () => Promise.resolve(void ended.push(1)),
  });
  await eventually(() => server.nodes.session('a')?.heartbeat !== undefined, { what: 'a heartbeat' });
  const claim = { nodeName: 'a', password: 'another', replace: true, address: '10.0.0.66' } as const;
  await expect(server.identities.names.claim({ ...claim, by: 'token' })).rejects.toThrow(/is connected/);
  await eventually(
    () => server.kube.conditions('a').includes('kagent.sh/NameUndisputed False ClaimedByAnotherMachine'),
    { what: 'a condition' },
  );
  expect(server.kube.events.map(({ message }) => message)).toContain(
    'another machine asked for the name of this node from 10.0.0.66: it did not get it',
  );
  expect(ended).toEqual([]);
  await server.identities.names.claim({ ...claim, by: 'token-for-name' });
  await eventually(() => ended.length > 0, { what: 'the end of the old machine’s connection' });
});

test('a node does not get the address of another by saying that it has it', async () => {
  const server = await channelServer();
  server.kube.put(node('a'));
  server.kube.put(node('0'));
  await agentChannel(await server.identity('a'), server.url);
  await eventually(() => server.nodes.session('a') !== undefined, { what: 'the owner' });
  const liar = await server.identity('0', undefined, '10.0.0.66');
  await agentChannel(liar, server.url, { hello: () => ({ ...hello, machineId: 'two', internalIps: ['10.0.0.5'] }) });
  await eventually(() => server.nodes.session('0') !== undefined, { what: 'the liar' });
  expect(server.identities.addresses.owner('10.0.0.5')).toBe('a');
  expect(server.identities.addresses.of('0')?.internalIps).toEqual(['10.0.0.66']);
  await eventually(() => server.kube.events.some(({ reason }) => reason === 'AddressRefused'), { what: 'an event' });
});

test('an address that moves to another box is taken out of the Node that had it', async () => {
  const server = await channelServer();
  const addresses = [
    { type: 'InternalIP', address: '10.0.0.5' },
    { type: 'Hostname', address: 'old' },
  ];
  server.kube.put({ metadata: { name: 'old' }, status: { addresses, conditions: [ready] } });
  await eventually(() => server.nodes.objects().length === 1, { what: 'the Node' });
  const claim = { internalIps: ['10.0.0.5'], externalIps: [], seenAs: '10.0.0.5' };
  await server.identities.addresses.decide({ ...claim, nodeName: 'old' });
  await server.identities.addresses.decide({ ...claim, nodeName: 'new' });
  await eventually(() => server.kube.node('old')?.status?.addresses?.length === 1, { what: 'the Node without it' });
  expect(server.kube.events.map(({ reason }) => reason)).toContain('AddressMoved');
});

test('a certificate that cannot be read is no end: the channel says so, and connects when it can', async () => {
  const server = await channelServer();
  const identity = await server.identity('a');
  const { certPath } = identity.files.pairs.kubelet;
  const [kept, aside] = [readFileSync(certPath), `${certPath}.aside`];
  renameSync(certPath, aside);
  mkdirSync(certPath);
  const channel = await agentChannel(identity, server.url);
  await eventually(() => channel.health().status === 'False', { what: 'the condition' });
  expect(channel.health().message).toContain('EISDIR');
  rmdirSync(certPath);
  writeFileSync(certPath, kept);
  await eventually(() => channel.health().status === 'True', { what: 'the connection' });
});

test('what an agent cannot do with a message, or say of itself, ends neither its channel nor the agent', async () => {
  const server = await channelServer();
  const full = () => {
    throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
  };
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (message: string) => warnings.push(message) };
  const channel = await agentChannel(await server.identity('a'), server.url, { onServers: full, log });
  await eventually(() => warnings.includes('a message of the channel was not handled'), { what: 'the warning' });
  expect(channel.health().status).toBe('True');
});

test('a node is told at once of a server that the cluster has got, and of one that it has no more', async () => {
  const server = await channelServer();
  const identity = await server.identity('a');
  const { heard } = await rawPeer(server.url, identity, [hello]);
  const serversHeard = () =>
    heard.flatMap((message) =>
      'servers' in message ? [message.servers.map(({ supervisorUrl }) => supervisorUrl)] : [],
    );
  await eventually(() => serversHeard().length === 1, { what: 'a welcome' });
  const other = { supervisorUrl: 'https://10.0.0.10:9345', apiserverUrl: 'https://10.0.0.10:6443' };
  server.servers.setOthers([other]);
  server.servers.setOthers([]);
  await eventually(() => serversHeard().length === 3, { what: 'both changes' });
  expect(serversHeard()).toEqual([
    ['https://10.0.0.9:9345'],
    ['https://10.0.0.9:9345', 'https://10.0.0.10:9345'],
    ['https://10.0.0.9:9345'],
  ]);
});
