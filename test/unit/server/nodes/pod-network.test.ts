import { alwaysLeading } from '../../../../src/server/cluster/cluster.ts';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createPodNetwork } from '../../../../src/server/nodes/pod-network.ts';
import type { NodeSession } from '../../../../src/server/nodes/session.ts';
import { systemClock } from '../../../../src/shared/clock.ts';
import { silentLog } from '../../../../src/shared/log/log.ts';
import type { Command, PodProbeResult } from '../../../../src/shared/protocol/channel.ts';
import { hello } from '../../../helpers/channel-server.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

type Answer = Partial<PodProbeResult>;
const well: Answer = {};
const silent: Answer = { answers: false, answersLarge: false };
const narrow: Answer = { answersLarge: false };

/** A cluster whose server is s1; each node has an address and a range by its place. */
function cluster(names: readonly string[], changes: { readonly reachedAt?: string; readonly refused?: string } = {}) {
  const asked: string[] = [];
  const answers = new Map<string, Answer>();
  const address = (name: string) => `10.0.0.${names.indexOf(name) + 1}`;
  const session = (nodeName: string) =>
    ({
      nodeName,
      heartbeat: { children: [{ name: 'flanneld', state: 'ready', restarts: 0 }] },
      hello: { ...hello, internalIps: [address(nodeName)], probesPods: true },
      addressProblem: nodeName === changes.refused ? '10.0.0.1 is the address of the node s1' : undefined,
      reachedAt: nodeName === 's1' ? '127.0.0.1' : changes.reachedAt,
      command(command: Command) {
        if (command.kind !== 'probe') return Promise.reject(new Error('nothing else is asked for'));
        asked.push(...command.targets.map((target) => `${nodeName} ${target.nodeName} ${target.address}`));
        const results = command.targets.map((target): PodProbeResult => {
          const answer = answers.get(`${nodeName} ${target.nodeName}`) ?? well;
          return { nodeName: target.nodeName, answers: true, answersLarge: true, largeBytes: 1450, ...answer };
        });
        return Promise.resolve(JSON.stringify(results));
      },
    }) as unknown as NodeSession;
  const sessions = new Map(names.map((name) => [name, session(name)]));
  const network = createPodNetwork({
    sessions: () => [...sessions.values()],
    node: (name) => ({
      metadata: { name },
      spec: { podCIDRs: [`10.42.${names.indexOf(name)}.0/24`] },
      status: { addresses: [{ type: 'InternalIP', address: address(name) }] },
    }),
    leadership: alwaysLeading,
    ownNode: 's1',
    clock: systemClock, // vitest's
    log: silentLog,
  });
  network.start();
  return { network, asked, answers, sessions };
}

const minutes = (count: number) => vi.advanceTimersByTimeAsync(count * 60_000);

test('each node asks the server’s and one more, and then rests', async () => {
  const { network, asked } = cluster(['s1', 'a1', 'a2', 'a3']);
  expect(network.conditionOf('a1')).toMatchObject({ status: 'Unknown', reason: 'NotProbed' });
  await minutes(1);
  expect(asked.toSorted()).toEqual([
    'a1 a2 10.42.2.0',
    'a1 s1 10.42.0.0',
    'a2 a3 10.42.3.0',
    'a2 s1 10.42.0.0',
    'a3 s1 10.42.0.0',
    's1 a1 10.42.1.0',
  ]);
  expect(network.conditionOf('a1')).toMatchObject({ status: 'True', reason: 'ProbesAnswered' });
  expect(network.problems()).toEqual([]);
  await minutes(8);
  expect(asked).toHaveLength(6);
  await minutes(22);
  expect(asked).toContain('a1 a3 10.42.3.0'); // another one each time
});

test('a node alone has nobody to ask', async () => {
  const { network, asked } = cluster(['s1']);
  await minutes(30);
  expect(asked).toEqual([]);
  expect(network.conditionOf('s1')).toMatchObject({ status: 'Unknown', reason: 'NoOtherNode' });
});

test('one that does not answer twice is told with both names, until it does', async () => {
  const { network, answers } = cluster(['s1', 'a1', 'a2']);
  answers.set('a1 a2', silent);
  await vi.advanceTimersByTimeAsync(12_000);
  expect(network.conditionOf('a1')).toMatchObject({ status: 'True' });
  await minutes(1);
  const { reason, message } = network.conditionOf('a1') ?? {};
  expect(reason).toBe('NoAnswer');
  expect(message).toMatch(/^a1 and a2 do not reach each other .* UDP 8472 .* between 10\.0\.0\.2 and 10\.0\.0\.3$/);
  expect(network.problems()).toEqual([message]);
  answers.clear();
  await minutes(1);
  expect(network.conditionOf('a1')).toMatchObject({ status: 'True' });
});

test('a smaller MTU on the path is told apart from silence', async () => {
  const { network, answers } = cluster(['s1', 'a1']);
  answers.set('a1 s1', narrow);
  await minutes(1);
  expect(network.conditionOf('a1')).toMatchObject({
    reason: 'PacketsTooLarge',
    message: expect.stringContaining('packets of 1450 bytes of pods do not pass between a1 and s1'),
  });
});

test('where a node came by another address of the server, what to start it with is said', async () => {
  const { network, answers } = cluster(['s1', 'a1'], { reachedAt: '192.168.56.11' });
  answers.set('a1 s1', silent);
  await minutes(1);
  expect(network.conditionOf('a1')?.message).toContain('start the server with --node-ip 192.168.56.11');
});

test('a node whose flanneld is not ready is neither asked nor asks', async () => {
  const { asked, sessions } = cluster(['s1', 'a1']);
  const { heartbeat } = sessions.get('a1') ?? {};
  Object.assign(heartbeat?.children[0] ?? {}, { state: 'starting' });
  await minutes(1);
  expect(asked).toEqual([]);
});

test('a node that says it has another’s address is told at once, and the other has no trouble from it', () => {
  const { network } = cluster(['s1', 'a1'], { refused: 'a1' });
  expect(network.conditionOf('a1')).toMatchObject({ status: 'False', reason: 'AddressRefused' });
  expect(network.conditionOf('s1')).toMatchObject({ status: 'Unknown', reason: 'NotProbed' });
  expect(network.problems()).toEqual(['10.0.0.1 is the address of the node s1']);
});

test('a node that has gone is no problem of the others', async () => {
  const { network, answers, sessions } = cluster(['s1', 'a1', 'a2']);
  answers.set('a1 a2', silent);
  await minutes(1);
  sessions.delete('a2');
  await minutes(1);
  expect(network.problems()).toEqual([]);
});
