/** Everything that makes requests come to Traefik, and which of it is Traefik's to serve. */
import { isNotFound, keyOf, Reflector } from '../../../kube/kube.ts';
import type { KubeClient, KubeObject } from '../../../kube/kube.ts';
import { pause } from '../../../shared/pause.ts';
import { definitionsPath } from './definitions.ts';
import type { Definition } from './definitions.ts';
import { gatewayController, ingressController, isOwn } from './manifests.ts';

const kinds = {
  Ingress: '/apis/networking.k8s.io/v1/ingresses',
  IngressRoute: '/apis/traefik.io/v1alpha1/ingressroutes',
  IngressRouteTCP: '/apis/traefik.io/v1alpha1/ingressroutetcps',
  IngressRouteUDP: '/apis/traefik.io/v1alpha1/ingressrouteudps',
  Gateway: '/apis/gateway.networking.k8s.io/v1/gateways',
  HTTPRoute: '/apis/gateway.networking.k8s.io/v1/httproutes',
  GRPCRoute: '/apis/gateway.networking.k8s.io/v1/grpcroutes',
  TLSRoute: '/apis/gateway.networking.k8s.io/v1/tlsroutes',
} as const;
type RouteKind = keyof typeof kinds;
/** A kind that the cluster does not know is looked for again. */
const unknownKindMs = 60_000;

interface IngressObject extends KubeObject {
  readonly spec?: { readonly ingressClassName?: string };
}
interface GatewayObject extends KubeObject {
  readonly spec?: { readonly gatewayClassName?: string };
}
interface RouteObject extends KubeObject {
  readonly spec?: {
    readonly parentRefs?: readonly { readonly kind?: string; readonly namespace?: string; readonly name?: string }[];
  };
}
interface ClassObject extends KubeObject {
  readonly spec?: { readonly controller?: string; readonly controllerName?: string };
}

export class Routes {
  readonly #kube: KubeClient;
  readonly #lists: ReadonlyMap<RouteKind, Reflector<KubeObject>>;
  readonly #listed = new Set<RouteKind>();

  /** @param onChange of any of them */
  constructor(kube: KubeClient, onChange: () => void) {
    this.#kube = kube;
    this.#lists = new Map(Object.entries(kinds).map(([kind, path]) => [kind as RouteKind, new Reflector(path)]));
    for (const list of this.#lists.values()) list.onChange(onChange);
  }

  get kinds(): readonly RouteKind[] {
    return [...this.#lists.keys()];
  }

  list(kind: RouteKind): Reflector<KubeObject> {
    const found = this.#lists.get(kind);
    if (found === undefined) throw new Error(`no list of ${kind}`);
    return found;
  }

  async follow(kind: RouteKind, onListed: () => void, signal: AbortSignal): Promise<void> {
    const listed = () => {
      this.#listed.add(kind);
      onListed();
    };
    try {
      await this.list(kind).follow(this.#kube, listed, signal);
    } catch (error) {
      // A kind that was just defined is served in a moment.
      if (!isNotFound(error) || (await this.#isDefined(kind, signal))) throw error;
      listed(); // somebody has another version of the Gateway API: of this kind there is none
      await pause(unknownKindMs, signal);
    }
  }

  async #isDefined(kind: RouteKind, signal: AbortSignal): Promise<boolean> {
    const [, , group = '', version = '', plural = ''] = kinds[kind].split('/');
    const definition = await this.#kube.find<Definition>(`${definitionsPath}/${plural}.${group}`, signal);
    return definition?.spec.versions.some(({ name, served }) => name === version && served) ?? false;
  }

  /** Whether each kind was listed once: before that nobody knows that there is none. */
  get isComplete(): boolean {
    return this.#listed.size === this.#lists.size;
  }

  /** One that Traefik is to serve: `Ingress default/web`. */
  async first(signal: AbortSignal): Promise<string | undefined> {
    const ownRoute = (['IngressRoute', 'IngressRouteTCP', 'IngressRouteUDP'] as const).find(
      (kind) => this.list(kind).all().length > 0,
    );
    if (ownRoute !== undefined) return named(ownRoute, this.list(ownRoute).all()[0]);
    return (await this.#firstIngress(signal)) ?? (await this.#firstOfGateways(signal));
  }

  async #firstIngress(signal: AbortSignal): Promise<string | undefined> {
    const all = this.list('Ingress').all() as readonly IngressObject[];
    for (const ingress of all) {
      const className = ingress.spec?.ingressClassName ?? ingress.metadata.annotations?.['kubernetes.io/ingress.class'];
      if (className === undefined || className === '' || className === 'traefik') return named('Ingress', ingress);
      const found = await this.#class(`/apis/networking.k8s.io/v1/ingressclasses/${className}`, signal);
      if (found?.spec?.controller === ingressController) return named('Ingress', ingress);
    }
    return undefined;
  }

  /** A Gateway of a person's, or a route that names a Gateway of Traefik's; kagent's own Gateway alone is none. */
  async #firstOfGateways(signal: AbortSignal): Promise<string | undefined> {
    const gateways: GatewayObject[] = [];
    for (const gateway of this.list('Gateway').all() as readonly GatewayObject[]) {
      const className = gateway.spec?.gatewayClassName ?? '';
      const path = `/apis/gateway.networking.k8s.io/v1/gatewayclasses/${className}`;
      const isOurs =
        className === 'traefik' || (await this.#class(path, signal))?.spec?.controllerName === gatewayController;
      if (isOurs) gateways.push(gateway);
    }
    const persons = gateways.find(({ metadata }) => !isOwn(metadata));
    if (persons !== undefined) return named('Gateway', persons);
    const served = new Set(gateways.map(keyOf));
    for (const kind of ['HTTPRoute', 'GRPCRoute', 'TLSRoute'] as const) {
      const route = (this.list(kind).all() as readonly RouteObject[]).find((one) => isOf(one, served));
      if (route !== undefined) return named(kind, route);
    }
    return undefined;
  }

  #class(path: string, signal: AbortSignal): Promise<ClassObject | undefined> {
    return this.#kube.find<ClassObject>(path, signal);
  }
}

function isOf({ metadata, spec }: RouteObject, gateways: ReadonlySet<string>): boolean {
  const parents = (spec?.parentRefs ?? []).filter(({ kind = 'Gateway' }) => kind === 'Gateway');
  return parents.some(({ namespace = metadata.namespace ?? 'default', name = '' }) =>
    gateways.has(`${namespace}/${name}`),
  );
}

const named = (kind: RouteKind, object: KubeObject | undefined) =>
  object === undefined ? undefined : `${kind} ${keyOf(object)}`;
