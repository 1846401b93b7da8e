/**
 * @module
 * What `kagent token`, `kagent node` and `kagent kubeconfig` ask the server on their own box, at its status socket, and what it answers.
 * These are also the forms that `-o json` prints.
 */
import * as z from 'zod';
import { isNodeName, nodeNameRule } from '../node-name.ts';
import { Heartbeat, Facts } from './channel.ts';
import { pem, sentence, word } from './text.ts';

export const Token = z.object({
  id: z.string(),
  role: z.enum(['server', 'agent']),
  description: z.string(),
  createdAt: z.string(),
  expiresAt: z.string().optional(),
  /** The one node that joins by it. */
  nodeName: z.string().optional(),
});
export const TokenList = z.object({ tokens: z.array(Token) });
export type TokenList = z.infer<typeof TokenList>;

export const NewTokenRequest = z.object({
  role: z.enum(['server', 'agent']),
  description: z.string().max(200).pipe(sentence()),
  /** 0: until deleted. */
  ttlMs: z.number().min(0),
  secret: word().optional(),
  nodeName: word(253).refine(isNodeName, `a node name has ${nodeNameRule}`).optional(),
});
export const TokenCreated = z.object({
  token: Token,
  text: z.string(),
  joinUrl: z.string(),
  /** Every name and address that the server's certificate has. */
  names: z.array(z.string()),
});
export type TokenCreated = z.infer<typeof TokenCreated>;

export const RotateRequest = z.object({ old: word(4096), next: word(4096).optional() });
export const Rotated = z.object({ text: z.string() });

const userOrGroup = z
  .string()
  .max(64)
  .regex(/^\P{C}+$/u);
export const NewUserRequest = z.object({
  name: userOrGroup,
  groups: z.array(userOrGroup).max(64),
  ttlMs: z.number().min(60_000),
  /** P-256. */
  publicKeyPem: pem(),
});
export type NewUserRequest = z.infer<typeof NewUserRequest>;
export const UserCreated = z.object({
  certPem: z.string(),
  notAfter: z.string(),
  caPem: z.string(),
  apiserverUrl: z.string(),
});
export type UserCreated = z.infer<typeof UserCreated>;

export const NodeSummary = z.object({
  name: z.string(),
  status: z.enum(['Ready', 'NotReady', 'Unregistered']),
  schedulable: z.boolean(),
  /** Whether its agent speaks to this server now, and since when. */
  connected: z.boolean(),
  session: z.int().optional(),
  connectedSince: z.string().optional(),
  lastSeen: z.string().optional(),
  version: z.string().optional(),
  kubernetesVersion: z.string().optional(),
  internalIp: z.string().optional(),
  externalIp: z.string().optional(),
  clockSkewMs: z.number().optional(),
  componentsDown: z.array(z.string()),
});
export type NodeSummary = z.infer<typeof NodeSummary>;
export const NodeList = z.object({ nodes: z.array(NodeSummary) });
export type NodeList = z.infer<typeof NodeList>;

/** A quarter of an hour of one node's heartbeats: the worst of each figure. */
export const HistoryEntry = z.object({
  from: z.string(), // RFC 3339
  beats: z.int(),
  connections: z.int(),
  restarts: z.int(),
  maxSkewMs: z.number(),
  maxRoundTripMs: z.number(),
  maxLoad1: z.number(),
  minMemoryBytes: z.number(),
  minDiskBytes: z.number(),
});
export type HistoryEntry = Readonly<z.infer<typeof HistoryEntry>>;

export const NodeDetails = NodeSummary.extend({
  facts: Facts.optional(),
  machineId: z.string().optional(),
  beat: Heartbeat.optional(),
  conditions: z.array(z.object({ type: z.string(), status: z.string(), reason: z.string(), message: z.string() })),
  history: z.array(HistoryEntry),
});
export type NodeDetails = z.infer<typeof NodeDetails>;

export const CommandOutput = z.object({ text: z.string() });
export type CommandOutput = z.infer<typeof CommandOutput>;
