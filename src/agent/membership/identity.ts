import { randomBytes } from 'node:crypto';
import type { X509Certificate } from 'node:crypto';
import { rmSync } from 'node:fs';
import * as z from 'zod';
import {
  caHashOf,
  createCsrPem,
  createKeyPem,
  isRenewalDue,
  matchingCertificate,
} from '../../shared/certificates/certificates.ts';
import { systemCode } from '../../shared/errors.ts';
import { readFileIfExists, writeFileAtomicSync, writeFileIfChanged } from '../../shared/files/files.ts';
import type { Paths } from '../../shared/paths.ts';
import type { ServerAddress } from '../../shared/protocol/channel.ts';
import { ClusterSettings } from '../../shared/protocol/join.ts';
import type { JoinRequest, JoinResponse } from '../../shared/protocol/join.ts';
import { Secret } from '../../shared/secret.ts';
import { caFiles, certFile, keyFile, pairNames, pairs } from './files.ts';
import { sameSet } from '../../shared/same-set.ts';

const longestMs = 60 * 86_400_000;

/** `agent/identity.json`, mode 0600. Written before the first request, so that a lost answer does not lose the name. */
const IdentityFile = z.object({
  nodeName: z.string(),
  password: z.string(),
  /** Absent until the first join is done. */
  joined: z
    .object({
      url: z.string(),
      addresses: z.array(z.string()),
      apiserverUrls: z.array(z.string()),
      supervisorUrls: z.array(z.string()).default([]),
      settings: ClusterSettings,
    })
    .optional(),
});
type IdentityFile = z.infer<typeof IdentityFile>;

export interface StoredIdentity {
  readonly nodeName: string;
  readonly settings: ClusterSettings;
  readonly apiserverUrls: readonly string[];
  /** Of every server that is known. */
  readonly supervisorUrls: readonly string[];
}

interface Wanted {
  readonly nodeName: string;
  readonly addresses: readonly string[];
  readonly url: string;
  /** What the token pins, if it does. */
  readonly caHash: string | undefined;
  readonly nowMs: number;
}

/**
 * What is on disk: usable as it is; to be renewed, as for a new address, or since its time is over (a node that was off for
 * long shows what it has); or not for this node, this cluster.
 */
export type KnownIdentity = { readonly password: Secret | undefined } & (
  | { readonly state: 'good' | 'due'; readonly identity: StoredIdentity }
  | { readonly state: 'none' }
);

export function loadIdentity(paths: Paths, wanted: Wanted): KnownIdentity {
  const file = readIdentityFile(paths);
  if (file === undefined) return { state: 'none', password: undefined };
  // The machine's, whatever its name: so it may have its old name back, and nothing is lost if it does not get a new one.
  const password = new Secret(file.password);
  if (file.nodeName !== wanted.nodeName) return { state: 'none', password };
  const serverCaPem = readFileIfExists(caFiles(paths).server) ?? '';
  const { joined } = file;
  if (joined === undefined || readFileIfExists(caFiles(paths).client) === undefined) return { state: 'none', password };
  // A token that pins says which cluster; a short one leaves only the address to compare.
  const isOtherCluster =
    wanted.caHash === undefined ? joined.url !== wanted.url : wanted.caHash !== caHashOf(serverCaPem);
  if (isOtherCluster) return { state: 'none', password };
  const certificates = pairNames.map((pair) =>
    matchingCertificate(readFileIfExists(certFile(paths, pair)) ?? '', readFileIfExists(keyFile(paths, pair)) ?? ''),
  );
  if (!certificates.every((certificate) => certificate !== undefined)) return { state: 'none', password };
  const isDue =
    !sameSet(joined.addresses, wanted.addresses) ||
    certificates.some((certificate) => isLongLived(certificate) || isRenewalDue(certificate, wanted.nowMs));
  const { settings, apiserverUrls, supervisorUrls } = joined;
  const identity = { nodeName: file.nodeName, settings, apiserverUrls, supervisorUrls };
  return { state: isDue ? 'due' : 'good', password, identity };
}

/** Keys and password of this node, made on first use, and signing requests for the keys. */
export async function keepKeys(
  paths: Paths,
  nodeName: string,
  known: Secret | undefined,
): Promise<{ readonly password: Secret; readonly csrs: JoinRequest['csrs'] }> {
  const password = known ?? new Secret(randomBytes(32).toString('hex'));
  if (known === undefined) writeIdentityFile(paths, { nodeName, password: password.reveal() });
  const csr = (pair: keyof typeof pairs) => {
    const path = keyFile(paths, pair);
    const keyPem = readFileIfExists(path) ?? createKeyPem();
    writeFileIfChanged(path, keyPem, 0o600);
    return createCsrPem(keyPem, `${pairs[pair]} of ${nodeName}`);
  };
  const [kubelet, kubeletServing, kubeProxy, flannel] = await Promise.all([
    csr('kubelet'),
    csr('kubeletServing'),
    csr('kubeProxy'),
    csr('flannel'),
  ]);
  return { password, csrs: { kubelet, kubeletServing, kubeProxy, flannel } };
}

/** Certificates first, then the file that says they are there: a crash in between means one more join, no more. */
export function storeIdentity(
  paths: Paths,
  joined: {
    readonly url: string;
    readonly nodeName: string;
    readonly addresses: readonly string[];
    readonly password: Secret;
    readonly response: JoinResponse;
  },
): StoredIdentity {
  const { url, nodeName, addresses, password, response } = joined;
  const { settings, apiserverUrls, supervisorUrls } = response;
  const ca = caFiles(paths);
  writeFileIfChanged(ca.server, response.serverCaPem, 0o600);
  writeFileIfChanged(ca.client, response.clientCaPem, 0o600);
  for (const pair of pairNames) writeFileAtomicSync(certFile(paths, pair), response.certificates[pair], 0o600);
  writeIdentityFile(paths, {
    nodeName,
    password: password.reveal(),
    joined: { url, addresses: [...addresses], apiserverUrls, supervisorUrls, settings },
  });
  return { nodeName, settings, apiserverUrls, supervisorUrls };
}

/** What a node that has joined shows to a server: its certificate, and the password that its name is kept by. */
export function shownIdentity(paths: Paths) {
  const text = (path: string) => readFileIfExists(path) ?? '';
  return {
    caPem: text(caFiles(paths).server),
    password: new Secret(readIdentityFile(paths)?.password ?? ''),
    proof: { cert: text(certFile(paths, 'kubelet')), key: text(keyFile(paths, 'kubelet')) },
  };
}

/** Of the cluster this box has joined. */
export function joinedSettings(paths: Paths): ClusterSettings | undefined {
  return readIdentityFile(paths)?.joined?.settings;
}

/** The name this node has, if it has joined. */
export function joinedName(paths: Paths): string | undefined {
  const file = readIdentityFile(paths);
  return file?.joined === undefined ? undefined : file.nodeName;
}

/** The address this node has had, if it has joined. */
export function joinedAddress(paths: Paths): string | undefined {
  return readIdentityFile(paths)?.joined?.addresses[0];
}

/** How a box that has joined may ask a server; undefined before. */
export function joinedProof(paths: Paths) {
  const { caPem, proof } = shownIdentity(paths);
  return caPem === '' || proof.cert === '' || proof.key === '' ? undefined : { caPem, proof };
}

/** Where a node that has joined asks: the address it was given first, then every other server it has heard of. */
export function storedServers(paths: Paths): readonly string[] {
  const joined = readIdentityFile(paths)?.joined;
  return joined === undefined ? [] : [...new Set([joined.url, ...joined.supervisorUrls])];
}

/** The servers that the channel tells of, for a start at which the first one is away. @returns them as an identity has them */
export function storeServers(
  paths: Paths,
  servers: readonly ServerAddress[],
): Pick<StoredIdentity, 'apiserverUrls' | 'supervisorUrls'> {
  const urls = {
    apiserverUrls: servers.map((server) => server.apiserverUrl),
    supervisorUrls: servers.map((server) => server.supervisorUrl),
  };
  const file = readIdentityFile(paths);
  if (file?.joined === undefined) return urls;
  const joined = { ...file.joined, ...urls };
  try {
    if (JSON.stringify(joined) !== JSON.stringify(file.joined)) writeIdentityFile(paths, { ...file, joined });
  } catch (error) {
    if (systemCode(error) === undefined) throw error; // the disk: a start would know the servers of before
  }
  return urls;
}

/** The node was removed: its name, password and certificates are worth nothing any more. Its keys stay its own. */
export function forgetIdentity(paths: Paths): void {
  rmSync(paths.agent.identity, { force: true });
  for (const pair of pairNames) rmSync(certFile(paths, pair), { force: true });
}

function readIdentityFile(paths: Paths): IdentityFile | undefined {
  const text = readFileIfExists(paths.agent.identity);
  if (text === undefined) return undefined;
  try {
    return IdentityFile.parse(JSON.parse(text));
  } catch {
    return undefined; // damaged: the node joins anew
  }
}

function writeIdentityFile(paths: Paths, file: IdentityFile): void {
  writeFileAtomicSync(paths.agent.identity, `${JSON.stringify(file, undefined, 2)}\n`, 0o600);
}

/** Made by a version whose certificates nobody could take back: those of today live some days. */
function isLongLived(certificate: X509Certificate): boolean {
  return certificate.validToDate.getTime() - certificate.validFromDate.getTime() > longestMs;
}
