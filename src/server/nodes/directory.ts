import { Listeners } from '../../shared/listeners.ts';
import { Reflector } from '../../kube/kube.ts';
import type { KubeClient, KubeObject } from '../../kube/kube.ts';

/** A Node of the API, as far as kagent looks at it. */
export interface NodeObject extends KubeObject {
  readonly spec?: {
    readonly podCIDRs?: readonly string[];
    readonly unschedulable?: boolean;
    readonly taints?: readonly { readonly key: string; readonly effect: string }[];
  };
  readonly status?: {
    readonly addresses?: readonly { readonly type: string; readonly address: string }[];
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
      readonly message?: string;
      readonly lastTransitionTime?: string;
    }[];
  };
}

/** The cluster's Nodes, followed by a watch. */
export class NodeDirectory {
  readonly #nodes = new Reflector<NodeObject>('/api/v1/nodes');
  readonly #changed = new Listeners<string>();
  readonly #presence = new Listeners<{ readonly name: string; readonly isThere: boolean }>();

  constructor() {
    this.#nodes.onChange(({ before, after }) => {
      const name = (after ?? before)?.metadata.name;
      if (name === undefined) return;
      if (before === undefined || after === undefined) this.#presence.tell({ name, isThere: after !== undefined });
      this.#changed.tell(name);
    });
  }

  onChange(listener: (name: string) => void): void {
    this.#changed.add(listener);
  }

  /** A Node is there that was not, or was deleted. */
  onPresence(listener: (change: { readonly name: string; readonly isThere: boolean }) => void): void {
    this.#presence.add(listener);
  }

  get(name: string): NodeObject | undefined {
    return this.#nodes.get(name);
  }

  all(): readonly NodeObject[] {
    return this.#nodes.all();
  }

  /** As `Reflector.follow`. */
  follow(kube: KubeClient, onListed: () => void, signal: AbortSignal): Promise<void> {
    return this.#nodes.follow(kube, onListed, signal);
  }
}
