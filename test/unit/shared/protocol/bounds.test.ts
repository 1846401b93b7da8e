import { expect, test } from 'vitest';
import type * as z from 'zod';
import { FromAgent, FromServer, maxResultChars, PodProbeResults } from '../../../../src/shared/protocol/channel.ts';
import { DrainRequest, DrainResponse } from '../../../../src/shared/protocol/drain.ts';
import { JoinRequest, JoinResponse } from '../../../../src/shared/protocol/join.ts';
import { ProbeOpened, ProbeRequest, ProbeSeen } from '../../../../src/shared/protocol/probe.ts';
import { Refusal } from '../../../../src/shared/protocol/refusal.ts';

const url = 'https://10.0.0.9:6443';
const settings = {
  clusterCidr: '10.42.0.0/16',
  serviceCidr: '10.43.0.0/16',
  clusterDns: '10.43.0.10',
  clusterDomain: 'cluster.local',
  flannelBackend: 'vxlan',
};
const csrs = { kubelet: 'p', kubeletServing: 'p', kubeProxy: 'p', flannel: 'p' };
const tunnel = { address: '10.42.0.0', mac: '00:00:00:00:00:00' };
const servers = [{ supervisorUrl: url, apiserverUrl: url }];
const id = '0b6ad3ba-15de-4c54-8a64-5c6e4a6c1d5b';

/** One of each message, with everything in it that may be. */
const messages: readonly (readonly [string, z.ZodType, unknown])[] = [
  [
    'hello',
    FromAgent,
    {
      type: 'hello',
      version: '1',
      kubernetesVersion: 'v1',
      machineId: 'm',
      bootId: 'b',
      run: 'r',
      internalIps: ['10.0.0.5'],
      externalIps: ['10.0.0.5'],
      internalDns: ['a'],
      externalDns: ['a'],
      facts: { os: 'Debian', kernel: '6', arch: 'amd64', cpus: 4, memoryBytes: 1, virtual: 'kvm' },
      probesPods: true,
    },
  ],
  [
    'beat',
    FromAgent,
    {
      type: 'beat',
      seq: 1,
      children: [{ name: 'kubelet', state: 'ready', restarts: 0, lastExit: 'code 1' }],
      memory: { totalBytes: 2, availableBytes: 1 },
      disk: { path: '/', sizeBytes: 2, freeBytes: 1 },
      load1: 0.5,
      uptimeSeconds: 60,
      certificates: [{ name: 'kubelet', notBefore: 't', notAfter: 't' }],
    },
  ],
  ['result', FromAgent, { type: 'result', id, ok: true, text: 'done' }],
  ['open-failed', FromAgent, { type: 'open-failed', id, reason: 'refused' }],
  ['pod probes', PodProbeResults, [{ nodeName: 'a', answers: true, answersLarge: true, largeBytes: 1 }]],
  ['welcome', FromServer, { type: 'welcome', session: 1, nowMs: 1, servers }],
  ['servers', FromServer, { type: 'servers', servers }],
  ['open', FromServer, { type: 'open', id, host: '10.0.0.5', port: 1 }],
  ['logs', FromServer, { type: 'command', id, command: { kind: 'logs', component: 'kubelet', lines: 1 } }],
  ['restart', FromServer, { type: 'command', id, command: { kind: 'restart', component: 'kubelet' } }],
  [
    'probe',
    FromServer,
    { type: 'command', id, command: { kind: 'probe', targets: [{ nodeName: 'a', address: '10.42.0.0' }] } },
  ],
  ['drain', DrainRequest, { run: 'r', timeoutMs: 1 }],
  ['drained', DrainResponse, { done: true, moved: 1, left: [{ pod: 'a/b', reason: 'r' }] }],
  [
    'join',
    JoinRequest,
    {
      nodeName: 'a',
      nodePassword: 'p'.repeat(32),
      addresses: ['10.0.0.5'],
      version: '1',
      kubernetesVersion: 'v1',
      csrs,
    },
  ],
  [
    'joined',
    JoinResponse,
    {
      certificates: csrs,
      serverCaPem: 'p',
      clientCaPem: 'p',
      apiserverUrls: [url],
      supervisorUrls: [url],
      settings,
      version: '1',
    },
  ],
  ['test', ProbeRequest, { id, port: 1, mtu: 1500, tunnel }],
  [
    'tested',
    ProbeOpened,
    { port: 1, mtu: 1, tunnel, yourAddress: 'a', time: 't', version: '1', apiserverUrls: [url], settings },
  ],
  ['seen', ProbeSeen, { sizes: [1] }],
  ['refusal', Refusal, { code: 'A', detail: 'd; r', remedy: 'r' }],
];

/** Every message that differs from `value` in one place: `change` makes another leaf or list of it. */
function variants(value: unknown, change: (part: unknown) => unknown): readonly unknown[] {
  const changed = change(value);
  const own = changed === value ? [] : [changed];
  if (typeof value !== 'object' || value === null) return own;
  const inner = Object.entries(value).flatMap(([key, part]) =>
    variants(part, change).map((other) =>
      Array.isArray(value)
        ? value.map((one: unknown, index) => (String(index) === key ? other : one))
        : { ...value, [key]: other },
    ),
  );
  return [...own, ...inner];
}

const huge = 'x'.repeat(4 * 1024 * 1024);
const escape = '\u001b]0;owned\u0007';

test.each(messages)(
  '%s: each text and list has a most, and none carries what acts on a terminal',
  (_, schema, message) => {
    expect(schema.safeParse(message).success).toBe(true);
    const isShort = (read: z.ZodSafeParseResult<unknown>) =>
      !read.success || JSON.stringify(read.data).length < maxResultChars + 1024;
    const long = variants(message, (part) => (typeof part === 'string' ? huge : part));
    for (const one of long) expect(isShort(schema.safeParse(one))).toBe(true);
    const many = variants(message, (part) => (Array.isArray(part) ? Array<unknown>(20_000).fill(part[0]) : part));
    for (const one of many) expect(schema.safeParse(one).success).toBe(false);
    // A PEM of one letter stays: what is none is refused where it is used.
    const acting = variants(message, (part) => (typeof part === 'string' && part.length > 1 ? escape : part));
    for (const one of acting)
      expect(JSON.stringify(schema.safeParse(one).data ?? '')).not.toContain(JSON.stringify(escape));
  },
);
