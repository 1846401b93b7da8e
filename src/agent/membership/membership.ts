/**
 * @module
 * What a node is in its cluster: pins the server's CA by the token's hash, asks for certificates, keeps them on disk; its name and addresses.
 * Knows: the join protocol's client half, the files under `agent/pki`. Leaves to others: using the identity (node/,
 * network/), keeping the connection (channel/).
 */
import type { SaysWait } from '../../shared/component/component.ts';
import type { Log } from '../../shared/log/log.ts';
import type { Paths } from '../../shared/paths.ts';
import type { ServerAddress } from '../../shared/protocol/channel.ts';
import type { ClusterSettings } from '../../shared/protocol/join.ts';
import type { Secret } from '../../shared/secret.ts';
import { version } from '../../shared/version/version.ts';
import { kernelProblems } from '../../host/checks/checks.ts';
import type { HostFacts, NodeAddress } from '../../host/checks/checks.ts';
import { supervisorUrl } from '../../shared/supervisor-url.ts';
import { ServerAwayError } from './errors.ts';
import { forgetIdentity, storeServers } from './identity.ts';
import { join, joinPatiently, renewIfDue } from './join.ts';
import type { JoinOptions, NodeIdentity } from './join.ts';
import { checkSettings } from './settings.ts';
import type { GivenSettings } from './settings.ts';
import type { NodeAccess } from '../../kube/kube.ts';

export interface MembershipOptions {
  readonly paths: Paths;
  readonly facts: HostFacts;
  readonly kubernetesVersion: string;
  /** A server's supervisor, and the token by which it lets this node in; read when it is needed. */
  readonly server: {
    readonly url: string;
    readonly token: Secret;
    readonly isOwnServer?: boolean;
    /** Of the kube-apiserver on this box. */
    readonly apiserverUrl?: string;
  };
  /** Takes the name over from a machine that is gone. */
  readonly replace?: boolean;
  /** What the operator says of the cluster here: it must agree. */
  readonly given?: GivenSettings;
  /** A server's own node knows them; another node learns them when it joins. */
  readonly settings?: ClusterSettings;
  /** Of a load balancer on this box. */
  readonly balancerPort?: number;
  /** Addresses by which the node is reached from outside the cluster. */
  readonly externalIps: readonly string[];
  readonly log: Log;
}

const askedWithinMs = 30_000;

/** What a node is in its cluster: made by joining, and changed by joining again or by another address of its box. */
export class Membership {
  readonly #options: MembershipOptions;
  #facts: HostFacts;
  #identity: NodeIdentity | undefined;
  #alsoTrusted: Pick<JoinOptions, 'alsoTrustedPem'> = {};

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#facts = options.facts;
  }

  /** As the box is now. */
  get facts(): HostFacts {
    return this.#facts;
  }

  /** Whether it is known who this node is. */
  get isJoined(): boolean {
    return this.#identity !== undefined;
  }

  get identity(): NodeIdentity {
    if (this.#identity === undefined) throw new TypeError('what needs the identity is not after join');
    return this.#identity;
  }

  get settings(): ClusterSettings {
    return this.#options.settings ?? this.identity.settings;
  }

  /** Of the load balancer on this box; undefined where there is none. */
  get balancedUrl(): string | undefined {
    const { balancerPort } = this.#options;
    return balancerPort === undefined ? undefined : `https://127.0.0.1:${balancerPort}`;
  }

  /** Where this node's programs reach kube-apiserver on this box; undefined: at a server's own address. */
  get #localUrl(): string | undefined {
    return this.balancedUrl ?? this.#options.server.apiserverUrl;
  }

  /** The one that was given first, then every other that was heard of. */
  get supervisorUrls(): readonly string[] {
    return [...new Set([supervisorUrl(this.#options.server.url), ...this.identity.supervisorUrls])];
  }

  /** Names and addresses of every server that was heard of. */
  get serverHosts(): readonly string[] {
    const known = this.#identity === undefined ? [] : [...this.identity.supervisorUrls, ...this.identity.apiserverUrls];
    const urls = [supervisorUrl(this.#options.server.url), ...known];
    return [...new Set(urls.map((url) => new URL(url).hostname))];
  }

  get certificatePaths(): readonly string[] {
    return Object.values(this.identity.files.pairs).map(({ certPath }) => certPath);
  }

  /** How this node asks for itself at the API. */
  get ownNode(): NodeAccess {
    const { files, apiserverUrls } = this.identity;
    return {
      apiserverUrl: this.#localUrl ?? apiserverUrls[0] ?? '',
      nodeName: this.#facts.nodeName,
      caPath: files.apiserverCa,
      ...files.pairs.kubelet,
    };
  }

  /** @throws {SettingDiffersError} @throws {KernelFeatureMissingError} and what `joinPatiently` throws */
  async join(alsoTrusted: Pick<JoinOptions, 'alsoTrustedPem'>, saysWait: SaysWait, signal: AbortSignal): Promise<void> {
    this.#alsoTrusted = alsoTrusted;
    saysWait('Joining', `asks ${supervisorUrl(this.#options.server.url)} for this node's certificates`);
    this.#identity = await joinPatiently({ ...this.#joining(), saysWait }, signal);
    checkSettings(this.#options.given ?? {}, this.settings);
    const [problem] = await kernelProblems(this.settings.flannelBackend);
    if (problem !== undefined) throw problem;
  }

  /** The server does not know this node (any more): the token has to let it in once more. */
  async joinAnew(): Promise<void> {
    this.#identity = await join({ ...this.#joining(), isForgotten: true }, AbortSignal.timeout(askedWithinMs));
  }

  /** The box has another address, which its certificates have to name. @throws {ServerAwayError} until they do */
  async move(address: NodeAddress): Promise<void> {
    const facts = { ...this.#facts, ...address };
    const identity = await join(this.#joining(facts), AbortSignal.timeout(askedWithinMs));
    if (!identity.changed) throw new ServerAwayError(facts.nodeIp);
    this.#facts = facts;
    this.#identity = identity;
  }

  /** @returns whether certificates were due and are new */
  renew(): Promise<boolean> {
    return renewIfDue(this.#joining(), AbortSignal.timeout(askedWithinMs));
  }

  /** Every server there is, for now and for the next start. */
  heard(servers: readonly ServerAddress[]): void {
    this.#identity = { ...this.identity, ...storeServers(this.#options.paths, servers) };
  }

  /** The node was removed from its cluster. */
  forget(): void {
    forgetIdentity(this.#options.paths);
  }

  #joining(facts = this.#facts): JoinOptions {
    const { server, paths, kubernetesVersion, replace, externalIps, log } = this.#options;
    return {
      ...server,
      ...(this.#localUrl !== undefined && { apiserverUrl: this.#localUrl }),
      ...this.#alsoTrusted,
      nodeName: facts.nodeName,
      addresses: [facts.nodeIp, ...externalIps],
      paths,
      version,
      kubernetesVersion,
      ...(replace === true && { replace }),
      log,
    };
  }
}

export { join, joinPatiently, renewIfDue } from './join.ts';
export type { JoinOptions, NodeIdentity } from './join.ts';
export type { IdentityFiles } from './files.ts';
export { forgetIdentity, joinedAddress, joinedName, joinedProof, joinedSettings, storeServers } from './identity.ts';
export { checkSettings, type GivenSettings } from './settings.ts';
export * from '../../shared/supervisor/supervisor.ts';
export { requestDrain } from './drain.ts';
export { ServerUrlError, supervisorUrl } from '../../shared/supervisor-url.ts';
export * from './errors.ts';
export { addressWatch } from './address-watch.ts';
export { untilKeptIsBack, wantedAddress } from './own-address.ts';
export { keepNodeId, nameNotes, wantedName, type NameOptions } from './own-name.ts';
export { walkToServer } from './server-path.ts';
