/**
 * @module
 * What a server says that joins other servers, and what it gets. JSON over verified TLS, with `Authorization: Bearer <secret of
 * the server token>`; an agents' token is refused.
 *
 *   GET /v1/server-files ──▶ the authorities' files, sealed with the secret that was shown
 *   POST /v1/etcd/members ──▶ which members there are, the new one among them
 */
import * as z from 'zod';
import { word } from './text.ts';

export const serverFilesPath = '/v1/server-files';
export const etcdMembersPath = '/v1/etcd/members';

/** What is below the folder `server` of a server and the same on all of them: certificates, keys, tokens. */
const sharedFile = /^(tls\/(etcd\/)?[a-z-]+\.(crt|key)|token|agent-token)$/;

export const SharedFiles = z.record(z.string().regex(sharedFile), z.string().max(65_536));
export type SharedFiles = Readonly<z.infer<typeof SharedFiles>>;

export const SealedFiles = z.object({ sealed: z.string().max(4 * 1024 * 1024) });

export const NewMember = z.object({
  /** Of the member, not of the node. */
  name: word(),
  peerUrl: z.url().max(2048),
});
export type NewMember = Readonly<z.infer<typeof NewMember>>;

/** As etcd's `--initial-cluster`. */
export const MembersOf = z.object({ members: z.string().max(65_536) });
