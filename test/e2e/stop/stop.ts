/** Stopping, starting again, ending the pods and taking everything away. */
import { beforeAll, expect, test } from 'vitest';
import { boxState, differences } from '../../helpers/box-state.ts';
import type { BoxState } from '../../helpers/box-state.ts';
import type { Box, Running } from '../../helpers/cluster.ts';
import { podProcessesOf, processesOf } from '../../helpers/processes.ts';
import { eventually } from '../../helpers/wait.ts';
import { putToUse, theBox } from '../server-in-use.ts';

let box: Box;
let server: Running;
let untouched: BoxState;
let clusterIp: string;

beforeAll(async () => {
  const shared = theBox();
  box = shared;
  untouched = shared.untouched;
  ({ server, clusterIp } = await putToUse(box));
});

const answer = () => box.sh(`curl -s -m 2 http://${clusterIp}`);
const names = () => new Set(processesOf(box).map((process) => process.name));

test('SIGTERM ends kagent with exit code 0, its children with it, and the pods keep running and answer', async () => {
  const pods = podProcessesOf(box);
  expect(pods.length).toBeGreaterThanOrEqual(8); // three of web and the client, each with its pause
  const from = performance.now();
  await box.signal((await box.status()).pid, 'TERM');
  expect(await server.exited).toBe(0);
  console.log(`stopped after ${Math.round(performance.now() - from)} ms`);
  expect(podProcessesOf(box)).toEqual(pods);
  const left = processesOf(box).filter((process) => !process.isPods);
  expect(new Set(left.map((process) => process.name))).toEqual(new Set(['containerd-shim-runc-v2']));
  expect(await answer()).toContain(' v1');
});

test('started again under another host name, it is the node it was and takes the running pods over', async () => {
  const pods = podProcessesOf(box);
  await box.sh('hostname dhcp-77');
  server = await box.startServer();
  expect((await box.status()).notes.join()).toContain('This host is called dhcp-77 now and stays the node s1');
  await box.sh('hostname s1');
  expect(await box.kubectl('get', 'nodes', '-o', 'name')).toBe('node/s1\n');
  await box.kubectl('wait', 'pod', '--all', '-A', '--for=condition=Ready', '--timeout=60s');
  expect(podProcessesOf(box)).toEqual(pods);
  expect(await answer()).toContain(' v1');
  const [name = ''] = (await box.kubectl('get', 'pods', '-l', 'app=web', '-o', 'name')).split('\n');
  expect(await box.kubectl('exec', name, '--', 'hostname')).toBe(`${name.replace('pod/', '')}\n`);
});

test('killall ends kagent and every pod, and leaves the data', async () => {
  const ended = await box.kagent(['killall']);
  expect(ended).toMatchObject({ code: 0 });
  await server.exited;
  expect(processesOf(box)).toEqual([]);
  const { mounts, links, nft, iptables, cgroups } = differences(untouched, await boxState(box));
  expect({ mounts, links, nft, iptables, cgroups }).toEqual({});
  server = await box.startServer();
  // What a Deployment's status says is from before: the Service answers when its pods are new ones.
  await eventually(async () => (await answer()).includes(' v1'), { withinMs: 90_000, what: 'an answer of web' });
  expect(names()).toContain('kube-node');
});

test('uninstall leaves the box as it was before', async () => {
  const done = await box.kagent(['uninstall']);
  expect(done).toMatchObject({ code: 0 });
  await server.exited;
  // The executable was not put there by the installer, so it stays.
  expect(differences(untouched, await boxState(box))).toEqual({});
});
