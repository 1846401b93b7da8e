/**
 * @module
 * What an agent and a server say over the websocket at `/v1/connect`: JSON texts, one message each.
 *
 *   agent ──hello──▶ server ──welcome──▶ agent, then beats and acks; commands and their results; streams to open
 *
 * The agent is known by its kubelet's client certificate. Messages are open objects, and a message of an unknown type is
 * passed over, so that neighbouring versions understand each other. Streams (logs, exec) are connections of their own at
 * `/v1/tunnel/<id>`, which the agent opens when it is asked to: TCP holds back a sender by itself.
 */
import * as z from 'zod';

export const channelPath = '/v1/connect';
export const channelProtocol = 'kagent.v1';
export const tunnelPathPrefix = '/v1/tunnel/';
export const tunnelProtocol = 'kagent-tunnel';

/** Between two beats of an agent at rest; a change is told at once. */
export const beatEveryMs = 5000;
/** A side that has heard nothing for so long takes the connection for dead. */
export const silenceMs = 3 * beatEveryMs;
/** Everything but a log is a few KiB. */
export const maxMessageBytes = 4 * 1024 * 1024;

/** Close codes, of the range that is free for use (RFC 6455, 7.4.2). */
export const closeCodes = { replaced: 4001, silent: 4002, notJoined: 4003, twin: 4004, unreadable: 4005 } as const;

const Server = z.object({ supervisorUrl: z.url(), apiserverUrl: z.url() });
/** Where a server of the cluster is reached. */
export type ServerAddress = Readonly<z.infer<typeof Server>>;

export const Facts = z.object({
  os: z.string(),
  kernel: z.string(),
  arch: z.string(),
  cpus: z.int(),
  memoryBytes: z.number(),
  virtual: z.string().optional(),
});
export type Facts = Readonly<z.infer<typeof Facts>>;

export const Hello = z.object({
  type: z.literal('hello'),
  version: z.string(),
  kubernetesVersion: z.string(),
  /** Tells a machine from its copy. */
  machineId: z.string(),
  bootId: z.string(),
  /** Tells this run of kagent from the one before. */
  run: z.string().optional(),
  internalIps: z.array(z.string()),
  externalIps: z.array(z.string()).default([]),
  internalDns: z.array(z.string()).default([]),
  externalDns: z.array(z.string()).default([]),
  facts: Facts,
  /** Whether it answers and sends probes through the pods' network. */
  probesPods: z.boolean().optional(),
});
export type Hello = Readonly<z.infer<typeof Hello>>;

const Child = z.object({
  name: z.string(),
  state: z.string(),
  restarts: z.int(),
  lastExit: z.string().optional(),
});

export const Beat = z.object({
  type: z.literal('beat'),
  seq: z.int(),
  children: z.array(Child),
  /** Share of the last ten seconds in which something waited, in percent; absent where the kernel does not say. */
  pressure: z.object({ cpu: z.number(), memory: z.number(), io: z.number() }).optional(),
  memory: z.object({ totalBytes: z.number(), availableBytes: z.number() }),
  disk: z.object({ path: z.string(), sizeBytes: z.number(), freeBytes: z.number() }),
  load1: z.number(),
  uptimeSeconds: z.number(),
  certificates: z.array(z.object({ name: z.string(), notBefore: z.string(), notAfter: z.string() })),
  /** The node's clock minus the server's; absent until it was measured. */
  clockSkewMs: z.number().optional(),
  /** From a beat to its ack. */
  roundTripMs: z.number().optional(),
});
export type Beat = Readonly<z.infer<typeof Beat>>;

const Result = z.object({
  type: z.literal('result'),
  id: z.string(),
  ok: z.boolean(),
  /** What was asked for, or why not. */
  text: z.string(),
});
const OpenFailed = z.object({ type: z.literal('open-failed'), id: z.string(), reason: z.string() });

export const FromAgent = z.discriminatedUnion('type', [Hello, Beat, Result, OpenFailed]);
export type FromAgent = Readonly<z.infer<typeof FromAgent>>;

const ProbeTarget = z.object({
  nodeName: z.string(),
  /** In the pods' network: of flannel's device on that node. */
  address: z.ipv4(),
});
export type PodProbeTarget = Readonly<z.infer<typeof ProbeTarget>>;

const ProbeResult = z.object({
  nodeName: z.string(),
  answers: z.boolean(),
  /** Also to packets as large as pods may send. */
  answersLarge: z.boolean(),
  /** As IP counts them. */
  largeBytes: z.int(),
});
export type PodProbeResult = Readonly<z.infer<typeof ProbeResult>>;
/** What a node answers to the command `probe`, as JSON. */
export const PodProbeResults = z.array(ProbeResult);

/** What an operator or the server has a node do. */
export const Command = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('logs'), component: z.string().optional(), lines: z.int().positive().max(10_000) }),
  z.object({ kind: z.literal('log-level'), level: z.enum(['debug', 'info', 'warn', 'error']) }),
  z.object({ kind: z.literal('restart'), component: z.string() }),
  /** The node was removed from the cluster: end, and forget who you were. */
  z.object({ kind: z.literal('leave') }),
  /** Ask these nodes for an answer through the pods' network. */
  z.object({ kind: z.literal('probe'), targets: z.array(ProbeTarget).max(8) }),
]);
export type Command = Readonly<z.infer<typeof Command>>;

const Welcome = z.object({
  type: z.literal('welcome'),
  /** Counts this node's connections. */
  session: z.int(),
  nowMs: z.number(),
  servers: z.array(Server),
});
const Ack = z.object({ type: z.literal('ack'), seq: z.int(), nowMs: z.number() });
const Servers = z.object({ type: z.literal('servers'), servers: z.array(Server) });
const CommandMessage = z.object({ type: z.literal('command'), id: z.string(), command: Command });
/** Connect to an address of this node or one of its pods, and bring the stream to `/v1/tunnel/<id>`. */
const Open = z.object({ type: z.literal('open'), id: z.string(), host: z.string(), port: z.int() });

export const FromServer = z.discriminatedUnion('type', [Welcome, Ack, Servers, CommandMessage, Open]);
export type FromServer = Readonly<z.infer<typeof FromServer>>;

/** @returns undefined for a text that is no message this version knows */
export function readMessage<T>(schema: z.ZodType<T>, text: string): T | undefined {
  try {
    const parsed = schema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
