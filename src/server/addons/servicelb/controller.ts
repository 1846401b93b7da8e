import { systemClock } from '../../../shared/clock.ts';
import { isNotFound, keyOf, Reflector, uniqueName, writeEvent } from '../../../kube/kube.ts';
import type { EventFacts } from '../../../kube/kube.ts';
import type { HostPort } from '../../../shared/protocol/channel.ts';
import type { AddonContext, ClusterNode } from '../types.ts';
import { assign, hostPortText } from './assign.ts';
import type { Assignment, Claim, Refusal } from './assign.ts';
import { Endpoints } from './endpoints.ts';
import { addressesOf, fieldManager, ingressOf, isOurs, isWrittenByAnother, nodesFor, portsOf } from './objects.ts';
import type { ServiceObject } from './objects.ts';
import { PortsInUse } from './ports-in-use.ts';

export const loadBalancers = '/api/v1/services?fieldSelector=spec.type%3DLoadBalancer';

interface Written {
  /** The Service as the watch had shown it then. */
  readonly over: ServiceObject;
  readonly addresses: readonly string[];
}

/** Gives each Service of type LoadBalancer its addresses: one pass over all of them after each change. */
export class Controller {
  readonly #context: AddonContext;
  readonly #services = new Reflector<ServiceObject>(loadBalancers);
  readonly #endpoints: Endpoints;
  readonly #portsInUse: PortsInUse;
  /** What was said of each Service last: it is not said at each pass. */
  readonly #told = new Map<string, string>();
  /** What was written last, until the watch shows it. */
  readonly #written = new Map<string, Written>();
  #isListed = false;

  /** @param onChange another pass is due */
  constructor(context: AddonContext, onChange: () => void) {
    this.#context = context;
    this.#portsInUse = new PortsInUse(context.nodes);
    this.#services.onChange(onChange);
    context.nodes.onObjectChange(onChange);
    const onFailure = (error: unknown) => context.log.debug('endpoints are not watched', { error });
    this.#endpoints = new Endpoints({ kube: context.kube, onChange, onFailure });
  }

  async follow(signal: AbortSignal, onListed: () => void): Promise<void> {
    const listed = () => {
      this.#isListed = true;
      onListed();
    };
    await this.#services.follow(this.#context.kube, listed, signal);
  }

  stop(): Promise<void> {
    return this.#endpoints.stop();
  }

  /** @returns after how long the next pass is due, if nothing changes; undefined: never */
  async pass(signal: AbortSignal): Promise<number | undefined> {
    if (!this.#isListed) return undefined;
    const own = this.#services.all().filter((service) => isOurs(service) && !isWrittenByAnother(service));
    const services = own.map((service) => this.#asWritten(service));
    this.#endpoints.follow(services.filter(isLocal).map(({ metadata }) => placeOf(metadata)));
    for (const known of [this.#told, this.#written])
      for (const key of known.keys()) if (this.#services.get(key) === undefined) known.delete(key);
    if (services.length === 0) return undefined;
    const nodes = this.#context.nodes.objects();
    const claims = services.map((service) => claimOf(service, nodes));
    await this.#portsInUse.ask(askedOf(claims));
    const assignments = assign(claims, (node, hostPort) => this.#portsInUse.ownerOf(node, hostPort));
    for (const service of services) {
      const assignment = assignments.get(keyOf(service));
      if (assignment !== undefined) await this.#give(service, assignment, nodes, signal);
    }
    return this.#portsInUse.isComplete ? lookAgainMs : soonMs;
  }

  /** The Service with the addresses that it has by now: a pass may be sooner than the watch. */
  #asWritten(service: ServiceObject): ServiceObject {
    const written = this.#written.get(keyOf(service));
    return written?.over === service ? { ...service, ...statusOf(written.addresses) } : service;
  }

  async #give(service: ServiceObject, assignment: Assignment, nodes: readonly ClusterNode[], signal: AbortSignal) {
    const answering = isLocal(service) ? this.#endpoints.nodesOf(keyOf(service)) : undefined;
    if (isLocal(service) && answering === undefined) return; // not known yet; the change comes
    const given = nodes.filter(
      ({ metadata: { name } }) => assignment.nodes.includes(name) && (answering?.has(name) ?? true),
    );
    const addresses = addressesOf(given);
    if (addresses.join() !== ingressOf(service).join() && (await this.#write(service, addresses, signal))) {
      const message = `LoadBalancer Ingress IP addresses updated: ${addresses.join(', ') || 'none'}`;
      this.#tell(service, { type: 'Normal', reason: 'UpdatedIngressIP', message }, signal);
    }
    const message = refusedText(assignment.refusals);
    if (this.#portsInUse.isComplete && message !== (this.#told.get(keyOf(service)) ?? '')) {
      this.#told.set(keyOf(service), message);
      if (message !== '') this.#tell(service, { type: 'Warning', reason: 'PortInUse', message }, signal);
    }
  }

  /** @returns false where the Service is gone */
  async #write({ metadata }: ServiceObject, addresses: readonly string[], signal: AbortSignal): Promise<boolean> {
    const { kube, log } = this.#context;
    const over = this.#services.get(keyOf({ metadata }));
    try {
      await kube.mergePatch(statusPath(metadata), statusOf(addresses), signal);
      if (over !== undefined) this.#written.set(keyOf({ metadata }), { over, addresses });
      log.info('load balancer addresses', { service: keyOf({ metadata }), addresses });
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  #tell({ metadata }: ServiceObject, facts: EventFacts, signal: AbortSignal): void {
    const { nodeName } = this.#context;
    const { namespace, name } = placeOf(metadata);
    const involvedObject = { apiVersion: 'v1', kind: 'Service', namespace, name, uid: metadata.uid ?? '' };
    const event = { facts, involvedObject, name: uniqueName(name), namespace, host: nodeName, clock: systemClock };
    writeEvent({ ...this.#context, signal }, event);
  }
}

/** A program of the host may begin to listen at any time, and nothing tells of it. */
const lookAgainMs = 30_000;
const soonMs = 1000;

export const statusPath = (metadata: ServiceObject['metadata']) => {
  const { namespace, name } = placeOf(metadata);
  return `/api/v1/namespaces/${namespace}/services/${name}/status?fieldManager=${fieldManager}`;
};

export const statusOf = (addresses: readonly string[]) => ({
  status: { loadBalancer: { ingress: addresses.map((ip) => ({ ip })) } },
});

const placeOf = ({ namespace = 'default', name }: ServiceObject['metadata']) => ({ namespace, name });
const isLocal = ({ spec }: ServiceObject) => spec?.externalTrafficPolicy === 'Local';

function claimOf(service: ServiceObject, nodes: readonly ClusterNode[]): Claim {
  const ingress = new Set(ingressOf(service));
  const holders = nodes.filter((node) => addressesOf([node]).some((address) => ingress.has(address)));
  return {
    key: keyOf(service),
    ports: portsOf(service),
    nodes: nodesFor(service, nodes).map(({ metadata }) => metadata.name),
    holds: new Set(holders.map(({ metadata }) => metadata.name)),
    createdAt: service.metadata.creationTimestamp ?? '',
  };
}

function askedOf(claims: readonly Claim[]): ReadonlyMap<string, readonly HostPort[]> {
  const nodes = new Set(claims.flatMap((claim) => claim.nodes));
  return new Map(
    [...nodes].map((node) => [node, claims.flatMap((claim) => (claim.nodes.includes(node) ? claim.ports : []))]),
  );
}

/** Nodes named in one sentence. */
const namedNodes = 3;

function refusedText(refusals: readonly Refusal[]): string {
  return refusals
    .map(({ hostPort, nodes, by }) => {
      const more = nodes.length > namedNodes ? ` and ${nodes.length - namedNodes} more` : '';
      const where = `${nodes.slice(0, namedNodes).join(', ')}${more}`;
      return `port ${hostPortText(hostPort)} of ${where} belongs to ${by}; the Service gets no address there until it is free`;
    })
    .join('; ');
}
