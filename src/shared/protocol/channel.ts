/**
 * @module
 * What an agent and a server say over the websocket at `/v1/connect`: JSON texts, one message each.
 *
 *   agent ──hello──▶ server ──welcome──▶ agent, then heartbeats and acks; commands and their results; streams to open
 *
 * The agent is known by its kubelet's client certificate. Messages are open objects, and a message of an unknown type is
 * passed over, so that neighbouring versions understand each other. Streams (logs, exec) are connections of their own at
 * `/v1/tunnel/<id>`, which the agent opens when it is asked to: TCP holds back a sender by itself.
 */
import * as z from 'zod';
import { prose, sentence, word } from './text.ts';

export const channelPath = '/v1/connect';
export const channelProtocol = 'kagent.v1';
export const tunnelPathPrefix = '/v1/tunnel/';
export const tunnelProtocol = 'kagent-tunnel';

/** Between two heartbeats of an agent at rest; a change is told at once. */
export const heartbeatEveryMs = 5000;
/** A side that has heard nothing for so long takes the connection for dead. */
export const silenceMs = 3 * heartbeatEveryMs;
/** Everything but a log is a few KiB. */
export const maxMessageBytes = 4 * 1024 * 1024;

/** Close codes, of the range that is free for use (RFC 6455, 7.4.2). */
export const closeCodes = { replaced: 4001, silent: 4002, notJoined: 4003, twin: 4004, unreadable: 4005 } as const;

/** What a node may answer to a command, in characters; a log is cut before. */
export const maxResultChars = 1024 * 1024;
/** Why something was not done. */
export const maxReasonChars = 1024;

const url = z.url().max(2048);
const Server = z.object({
  supervisorUrl: url,
  apiserverUrl: url,
  /** One server may be reached at several addresses. A server of an earlier version has none. */
  name: word().optional(),
});
/** Where a server of the cluster is reached. */
export type ServerAddress = Readonly<z.infer<typeof Server>>;

export const Facts = z.object({
  os: sentence(256),
  kernel: sentence(256),
  arch: word(),
  cpus: z.int(),
  memoryBytes: z.number(),
  virtual: word().optional(),
});
export type Facts = Readonly<z.infer<typeof Facts>>;

/** Of one kind; they are written to the Node. */
const addresses = z.array(word()).max(32);

export const Hello = z.object({
  type: z.literal('hello'),
  version: word(),
  kubernetesVersion: word(),
  /** Tells a machine from its copy. */
  machineId: word(),
  bootId: word(),
  /** Tells this run of kagent from the one before. */
  run: word().optional(),
  internalIps: addresses,
  externalIps: addresses.default([]),
  internalDns: addresses.default([]),
  externalDns: addresses.default([]),
  facts: Facts,
  /** Whether it answers and sends probes through the pods' network. */
  probesPods: z.boolean().optional(),
  /** Whether it answers the command `ports-in-use`. */
  tellsPortsInUse: z.boolean().optional(),
  /** Whether it carries out the commands `make-volume` and `remove-volume`. */
  keepsVolumes: z.boolean().optional(),
});
export type Hello = Readonly<z.infer<typeof Hello>>;

const Child = z.object({
  name: word(),
  state: word(),
  restarts: z.int(),
  lastExit: sentence(512).optional(),
});

/** A component of kagent on that node that is not ready: what it waits for, since when. */
const NotReady = z.object({ name: word(), reason: word(), message: sentence(), since: word() });

export const Heartbeat = z.object({
  type: z.literal('beat'),
  seq: z.int(),
  children: z.array(Child).max(64),
  /** Of all components, children or not, as `kagent status` has them; absent from an earlier agent. */
  notReady: z.array(NotReady).max(64).optional(),
  /** Share of the last ten seconds in which something waited, in percent; absent where the kernel does not say. */
  pressure: z.object({ cpu: z.number(), memory: z.number(), io: z.number() }).optional(),
  memory: z.object({ totalBytes: z.number(), availableBytes: z.number() }),
  disk: z.object({ path: sentence(), sizeBytes: z.number(), freeBytes: z.number() }),
  load1: z.number(),
  uptimeSeconds: z.number(),
  certificates: z.array(z.object({ name: word(), notBefore: word(), notAfter: word() })).max(64),
  /** The node's clock minus the server's; absent until it was measured. */
  clockSkewMs: z.number().optional(),
  /** From a heartbeat to its ack. */
  roundTripMs: z.number().optional(),
});
export type Heartbeat = Readonly<z.infer<typeof Heartbeat>>;

const Result = z.object({
  type: z.literal('result'),
  id: word(),
  ok: z.boolean(),
  /** What was asked for, or why not. */
  text: prose(maxResultChars),
});
const OpenFailed = z.object({ type: z.literal('open-failed'), id: word(), reason: sentence(maxReasonChars) });

export const FromAgent = z.discriminatedUnion('type', [Hello, Heartbeat, Result, OpenFailed]);
export type FromAgent = Readonly<z.infer<typeof FromAgent>>;

const ProbeTarget = z.object({
  nodeName: word(),
  /** In the pods' network: of flannel's device on that node. */
  address: z.ipv4(),
});
export type PodProbeTarget = Readonly<z.infer<typeof ProbeTarget>>;

const ProbeResult = z.object({
  nodeName: word(),
  answers: z.boolean(),
  /** Also to packets as large as pods may send. */
  answersLarge: z.boolean(),
  /** As IP counts them. */
  largeBytes: z.int(),
});
export type PodProbeResult = Readonly<z.infer<typeof ProbeResult>>;
/** What a node answers to the command `probe`, as JSON. */
export const PodProbeResults = z.array(ProbeResult).max(64);

const HostPort = z.object({ protocol: word(), port: z.int().min(1).max(65_535) });
/** A port of a node's own addresses. */
export type HostPort = Readonly<z.infer<typeof HostPort>>;

/** Of the ports asked for those that somebody has; `owner` is a phrase: `sshd (pid 812)`, `the Pod default/web`. */
const PortInUse = HostPort.extend({ owner: sentence(256) });
export type HostPortOwner = Readonly<z.infer<typeof PortInUse>>;
/** What a node answers to the command `ports-in-use`, as JSON. */
export const PortsInUse = z.array(PortInUse).max(1024);

/** A folder of the node, and the folder of all volumes that it is below: absolute and plain. */
const VolumeFolder = z.object({ root: word(4096), path: word(4096) });
export type VolumeFolder = Readonly<z.infer<typeof VolumeFolder>>;

/** What an operator or the server has a node do. */
export const Command = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('logs'), component: word().optional(), lines: z.int().positive().max(10_000) }),
  z.object({ kind: z.literal('log-level'), level: z.enum(['debug', 'info', 'warn', 'error']) }),
  z.object({ kind: z.literal('restart'), component: word() }),
  /** The node was removed from the cluster: end, and forget who you were. */
  z.object({ kind: z.literal('leave') }),
  /** Ask these nodes for an answer through the pods' network. */
  z.object({ kind: z.literal('probe'), targets: z.array(ProbeTarget).max(8) }),
  /** Say who has these ports: programs that listen, pods with a `hostPort`. */
  z.object({ kind: z.literal('ports-in-use'), ports: z.array(HostPort).max(1024) }),
  z.object({ kind: z.literal('make-volume'), ...VolumeFolder.shape }),
  z.object({ kind: z.literal('remove-volume'), ...VolumeFolder.shape }),
]);
export type Command = Readonly<z.infer<typeof Command>>;

const servers = z.array(Server).max(64);

const Welcome = z.object({
  type: z.literal('welcome'),
  /** Counts this node's connections. */
  session: z.int(),
  nowMs: z.number(),
  /** Of the server that says it; one of an earlier version has no name. */
  server: word().optional(),
  servers,
});
const Ack = z.object({ type: z.literal('ack'), seq: z.int(), nowMs: z.number() });
const Servers = z.object({ type: z.literal('servers'), servers });
const CommandMessage = z.object({ type: z.literal('command'), id: word(), command: Command });
/** Connect to an address of this node or one of its pods, and bring the stream to `/v1/tunnel/<id>`. */
const Open = z.object({ type: z.literal('open'), id: word(), host: word(), port: z.int() });

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
