/**
 * @module
 * How a box asks a server for UDP packets, to see what the path between them lets through. JSON over verified TLS at
 * `POST /v1/probes` and `GET /v1/probes/<id>`, with a token or a node's certificate as in a join.
 */
import * as z from 'zod';
import { ClusterSettings } from './join.ts';
import { urls, word } from './text.ts';

/** The pods' network device of a box, at which packets can be sent through UDP 8472 though the kernel holds the port. */
export const TunnelEnd = z.object({ address: z.ipv4(), mac: z.string().regex(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/) });
export type TunnelEnd = Readonly<z.infer<typeof TunnelEnd>>;

export const ProbeRequest = z.object({
  /** Marks the packets of both; nobody else knows it. */
  id: z.uuid(),
  /** Where the asking box listens. */
  port: z.int().min(1).max(65_535),
  /** Of its interface: no packet is larger. */
  mtu: z.int().min(576).max(65_536),
  /** Packets come inside VXLAN then. */
  tunnel: TunnelEnd.optional(),
});
export type ProbeRequest = Readonly<z.infer<typeof ProbeRequest>>;

/** The server's packets are under way when this is read. */
export const ProbeOpened = z.object({
  /** Where the server listens for the asking box's packets, for some seconds. */
  port: z.int(),
  mtu: z.int(),
  tunnel: TunnelEnd.optional(),
  /** As the server sees the asking box. */
  yourAddress: word(),
  time: word(), // RFC 3339
  version: word(),
  apiserverUrls: urls,
  settings: ClusterSettings,
});
export type ProbeOpened = Readonly<z.infer<typeof ProbeOpened>>;

/** Sizes of the packets that came, as IP counts them. */
export const ProbeSeen = z.object({ sizes: z.array(z.int()).max(1024) });
export type ProbeSeen = Readonly<z.infer<typeof ProbeSeen>>;
