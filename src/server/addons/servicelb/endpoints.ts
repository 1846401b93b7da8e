import { Reflector } from '../../../kube/kube.ts';
import type { KubeClient } from '../../../kube/kube.ts';
import { untilStopped } from '../../../shared/until-stopped.ts';
import { nodesWithEndpoints } from './objects.ts';
import type { EndpointSliceObject } from './objects.ts';

export interface FollowedService {
  readonly namespace: string;
  readonly name: string;
}

export interface EndpointsOptions {
  readonly kube: KubeClient;
  readonly onChange: () => void;
  readonly onFailure: (error: unknown) => void;
}

/** Where the endpoints of some Services are. A watch for each of them, since of the others nobody wants to know. */
export class Endpoints {
  readonly #options: EndpointsOptions;
  readonly #followed = new Map<string, Followed>();

  constructor(options: EndpointsOptions) {
    this.#options = options;
  }

  /** Of these Services and no others from now on. */
  follow(services: readonly FollowedService[]): void {
    const wanted = new Map(services.map((service) => [`${service.namespace}/${service.name}`, service]));
    for (const [key, { stopping }] of this.#followed) {
      if (wanted.has(key)) continue;
      stopping.abort();
      this.#followed.delete(key);
    }
    for (const [key, service] of wanted) if (!this.#followed.has(key)) this.#followed.set(key, this.#begin(service));
  }

  /** Undefined until it is known. */
  nodesOf(key: string): ReadonlySet<string> | undefined {
    const followed = this.#followed.get(key);
    return followed?.isListed === true ? nodesWithEndpoints(followed.slices.all()) : undefined;
  }

  async stop(): Promise<void> {
    const works = [...this.#followed.values()].map(({ work }) => work);
    this.follow([]);
    await Promise.all(works);
  }

  #begin({ namespace, name }: FollowedService): Followed {
    const { kube, onChange, onFailure } = this.#options;
    const selector = encodeURIComponent(`kubernetes.io/service-name=${name}`);
    const path = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices?labelSelector=${selector}`;
    const slices = new Reflector<EndpointSliceObject>(path);
    slices.onChange(onChange);
    const stopping = new AbortController();
    const followed: Followed = { slices, stopping, isListed: false, work: Promise.resolve() };
    const onListed = () => {
      followed.isListed = true;
      onChange();
    };
    followed.work = untilStopped((signal) => slices.follow(kube, onListed, signal), stopping.signal, onFailure);
    return followed;
  }
}

interface Followed {
  readonly slices: Reflector<EndpointSliceObject>;
  readonly stopping: AbortController;
  isListed: boolean;
  work: Promise<void>;
}
