import { rfc3339, systemClock } from '../../../shared/clock.ts';
import { isNotFound, keyOf, Reflector, uniqueName, writeEvent } from '../../../kube/kube.ts';
import type { EventFacts, KubeObject } from '../../../kube/kube.ts';
import { messageOf } from '../../../shared/errors.ts';
import { pause } from '../../../shared/pause.ts';
import type { WellState } from '../background.ts';
import type { AddonContext } from '../types.ts';
import { applyDefinitions, definitionsPath } from './definitions.ts';
import type { TraefikConfig } from './config.ts';
import { acceptance } from './gateway-class.ts';
import type { GatewayClass } from './gateway-class.ts';
import { TraefikForeignError, TraefikValueError } from './errors.ts';
import { deploymentPath, gatewayClassPath, namespace, isOwn, traefikObjects } from './manifests.ts';
import { Routes } from './routes.ts';
import { oldSyntaxIn } from './rules.ts';
import type { IngressRouteObject } from './rules.ts';
import { readValues } from './values.ts';
import type { TraefikValues } from './values.ts';

export interface ControllerTiming {
  /** A route that is made anew a little later, as tools do, is no reason to end. */
  readonly endedAfterMs: number;
  /** A pod that is not ready by then has a problem. */
  readonly readyWithinMs: number;
}

const usualTiming: ControllerTiming = { endedAfterMs: 600_000, readyWithinMs: 60_000 };
/** Until kinds that were just defined are served. */
const servedWithinMs = 10_000;
const servedRetryMs = 100;

interface DeploymentObject extends KubeObject {
  readonly spec?: { readonly replicas?: number };
  readonly status?: { readonly availableReplicas?: number };
}

/** Brings Traefik into the cluster, starts it with the first route and ends it some time after the last. */
export class Controller {
  readonly routes: Routes;
  readonly #context: AddonContext;
  readonly #config: TraefikConfig;
  readonly #timing: ControllerTiming;
  readonly #deployments = new Reflector<DeploymentObject>(
    `/apis/apps/v1/namespaces/${namespace}/deployments?fieldSelector=metadata.name%3Dtraefik`,
  );
  /** What was said of each object last. */
  readonly #told = new Map<string, string>();
  /** In force; undefined before the first installation. */
  #values: TraefikValues | undefined;
  /** Why they are not what is asked for. */
  #refused: TraefikValueError | undefined;
  #unusedSinceMs: number | undefined;
  #unreadySinceMs: number | undefined;

  /** @param onChange another pass is due */
  constructor(context: AddonContext, config: TraefikConfig, onChange: () => void, timing = usualTiming) {
    this.#context = context;
    this.#config = config;
    this.#timing = timing;
    this.routes = new Routes(context.kube, onChange);
    this.#deployments.onChange(onChange);
    this.routes.list('IngressRoute').onChange(({ before, after }) => {
      if (after === undefined) this.#told.delete(before?.metadata.uid ?? '');
      else this.#tellRule(after as IngressRouteObject);
    });
  }

  /** Definitions first, then what needs them. Tried again it changes nothing. */
  async install(signal: AbortSignal): Promise<void> {
    const { kube, definitionsDir } = this.#context;
    await applyDefinitions(this.#context, `${definitionsDir}/traefik.jsonl`, signal);
    const there = await kube.find<DeploymentObject>(deploymentPath, signal);
    const before = this.#values;
    const values = this.#valuesAskedFor();
    const running = there?.spec?.replicas ?? 0;
    // What a person has scaled stays as it is.
    const isOther = before !== undefined && before.replicas !== values.replicas;
    const replicas = running > 0 && isOther ? values.replicas : running;
    const objects = traefikObjects(values, this.#context.image('traefik'), replicas);
    for (const { path, kind } of objects) {
      const present = await kube.find(path, signal);
      if (present !== undefined && !isOwn(present.metadata)) throw new TraefikForeignError(`${kind} ${keyOf(present)}`);
    }
    for (const { path, object } of objects) {
      const applied = await this.#applyWhenServed(path, object, signal);
      if (path === gatewayClassPath && replicas === 0) await this.#acceptClass(applied as GatewayClass, signal);
    }
    this.#values = values;
  }

  /** While Traefik does not say it itself. */
  async #acceptClass(gatewayClass: GatewayClass, signal: AbortSignal): Promise<void> {
    const patch = acceptance(gatewayClass, rfc3339(systemClock.now()));
    if (patch !== undefined) await this.#context.kube.mergePatch(`${gatewayClassPath}/status`, patch, signal);
  }

  /** Values that are refused change nothing. */
  #valuesAskedFor(): TraefikValues {
    try {
      const values = this.#config.values();
      this.#refused = undefined;
      this.#told.delete(this.#config.object?.metadata.uid ?? '');
      return values;
    } catch (error) {
      if (!(error instanceof TraefikValueError)) throw error;
      this.#refused = error;
      const facts = { type: 'Warning', reason: 'ValuesRefused', message: messageOf(error) } as const;
      if (this.#config.object !== undefined)
        this.#tellOnce(this.#config.object, 'helm.cattle.io/v1', facts, 'HelmChartConfig');
      return this.#values ?? readValues(undefined);
    }
  }

  async #applyWhenServed(path: string, object: unknown, signal: AbortSignal): Promise<KubeObject> {
    const endMs = performance.now() + servedWithinMs;
    for (;;) {
      try {
        return await this.#context.kube.apply(path, object, { force: true }, signal);
      } catch (error) {
        if (!isNotFound(error) || performance.now() > endMs) throw error;
        await pause(servedRetryMs, signal);
        signal.throwIfAborted();
      }
    }
  }

  followDeployment(onListed: () => void, signal: AbortSignal): Promise<void> {
    return this.#deployments.follow(this.#context.kube, onListed, signal);
  }

  /** @returns what the condition says, and after how long the next pass is due if nothing changes */
  async pass(signal: AbortSignal): Promise<{ readonly state: WellState; readonly dueMs?: number }> {
    const { state, ...rest } = await this.#pass(signal);
    if (this.#refused === undefined || state.status === 'False') return { state, ...rest };
    const { message, remedy } = this.#refused;
    return { state: { status: 'False', reason: 'ValuesRefused', message, ...(remedy && { remedy }) }, ...rest };
  }

  async #pass(signal: AbortSignal): Promise<{ readonly state: WellState; readonly dueMs?: number }> {
    const deployment = this.#deployments.all()[0];
    if (deployment === undefined || !this.routes.isComplete) return { state: { reason: 'Starting', message: '' } };
    const replicas = deployment.spec?.replicas ?? 0;
    const first = await this.routes.first(signal);
    if (first !== undefined) this.#unusedSinceMs = undefined;
    if (replicas === 0) {
      this.#unreadySinceMs = undefined;
      if (first === undefined) return { state: { reason: 'Idle', message: idleText } };
      await this.#scale(deployment, this.#values?.replicas ?? 1, signal);
      this.#tell(deployment, 'apps/v1', 'Deployment', {
        type: 'Normal',
        reason: 'IngressStarted',
        message: `Traefik starts: there is ${first}`,
      });
      return { state: { reason: 'Starting', message: `starts for ${first}` } };
    }
    const { state, dueMs } = this.#running(deployment);
    if (first !== undefined) return { state, dueMs };
    this.#unusedSinceMs ??= performance.now();
    const leftMs = this.#timing.endedAfterMs - (performance.now() - this.#unusedSinceMs);
    if (leftMs > 0) return { state, dueMs: Math.min(leftMs, dueMs) };
    await this.#scale(deployment, 0, signal);
    const message = 'Traefik ends: there is no route for it any more';
    this.#tell(deployment, 'apps/v1', 'Deployment', { type: 'Normal', reason: 'IngressEnded', message });
    return { state: { reason: 'Idle', message: idleText } };
  }

  #running({ status }: DeploymentObject): { readonly state: WellState; readonly dueMs: number } {
    if ((status?.availableReplicas ?? 0) > 0) {
      this.#unreadySinceMs = undefined;
      return { state: { reason: 'Serving', message: '' }, dueMs: this.#timing.endedAfterMs };
    }
    this.#unreadySinceMs ??= performance.now();
    const leftMs = this.#timing.readyWithinMs - (performance.now() - this.#unreadySinceMs);
    if (leftMs > 0) return { state: { reason: 'Starting', message: 'its pod is not ready yet' }, dueMs: leftMs };
    const message = `Deployment ${namespace}/traefik has no ready pod, so no Ingress is answered`;
    return {
      state: { status: 'False', reason: 'NoPod', message, remedy: noPodRemedy },
      dueMs: this.#timing.endedAfterMs,
    };
  }

  async #scale(deployment: DeploymentObject, replicas: number, signal: AbortSignal): Promise<void> {
    await this.#context.kube.mergePatch(deploymentPath, { spec: { replicas } }, signal);
    this.#context.log.info('ingress controller scaled', { deployment: keyOf(deployment), replicas });
  }

  /** Objects of Traefik 2's API group, where its definitions are left: nobody serves them. */
  async tellOldObjects(signal: AbortSignal): Promise<void> {
    const { kube } = this.#context;
    if ((await kube.find(oldDefinition, signal)) === undefined) return;
    const { items } = await kube.get<{ readonly items: readonly KubeObject[] }>(oldRoutes, signal);
    for (const route of items)
      this.#tellOnce(route, oldGroup, { type: 'Warning', reason: 'OldApiGroup', message: oldText });
  }

  #tellRule(route: IngressRouteObject): void {
    const message = oldSyntaxIn(route);
    const { uid = '' } = route.metadata;
    if (message === undefined) this.#told.delete(uid);
    else this.#tellOnce(route, 'traefik.io/v1alpha1', { type: 'Warning', reason: 'OldRuleSyntax', message });
  }

  #tellOnce(object: KubeObject, apiVersion: string, facts: EventFacts, kind = 'IngressRoute'): void {
    const { uid = '' } = object.metadata;
    if (this.#told.get(uid) === facts.message) return;
    this.#told.set(uid, facts.message);
    this.#context.log.warn('ingress not as asked for', { kind, object: keyOf(object), problem: facts.message });
    this.#tell(object, apiVersion, kind, facts);
  }

  #tell({ metadata }: KubeObject, apiVersion: string, kind: string, facts: EventFacts): void {
    const { name, uid = '', namespace: home = 'default' } = metadata;
    const involvedObject = { apiVersion, kind, namespace: home, name, uid };
    const place = { namespace: home, host: this.#context.nodeName, clock: systemClock };
    writeEvent(this.#context, { facts, involvedObject, name: uniqueName(name), ...place });
  }
}

const idleText = 'it is not running: there is no Ingress, IngressRoute or route of a Gateway for it';
const noPodRemedy = `see 'kagent kubectl -n ${namespace} describe pods -l app.kubernetes.io/name=traefik'`;
const oldGroup = 'traefik.containo.us/v1alpha1';
const oldRoutes = `/apis/${oldGroup}/ingressroutes`;
const oldDefinition = `${definitionsPath}/ingressroutes.traefik.containo.us`;
const oldText = `the API group traefik.containo.us is Traefik 2's, and nobody serves this route: write "apiVersion: traefik.io/v1alpha1" and apply it`;
