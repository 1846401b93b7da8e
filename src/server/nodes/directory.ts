import { Listeners } from '../../shared/listeners.ts';
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
  readonly #nodes = new Map<string, NodeObject>();
  readonly #changed = new Listeners<string>();
  readonly #presence = new Listeners<{ readonly name: string; readonly isThere: boolean }>();

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
    return [...this.#nodes.values()].toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  }

  /** One watch, which the server ends after some minutes; the next begins with everything anew. `onListed`: it goes well. */
  async follow(kube: KubeClient, onListed: () => void, signal: AbortSignal): Promise<void> {
    const before = new Set(this.#nodes.keys());
    const { metadata, items } = await kube.get<{
      readonly metadata: { readonly resourceVersion: string };
      readonly items: readonly NodeObject[];
    }>('/api/v1/nodes', signal);
    for (const node of items) {
      before.delete(node.metadata.name);
      this.#set(node);
    }
    for (const gone of before) this.#remove(gone);
    onListed();
    const changes = kube.watch<NodeObject>(`/api/v1/nodes?resourceVersion=${metadata.resourceVersion}`, signal);
    for await (const event of changes) {
      const { name } = event.object.metadata;
      if (event.type === 'DELETED') this.#remove(name);
      else if (event.type !== 'BOOKMARK') this.#set(event.object);
    }
  }

  #set(node: NodeObject): void {
    const { name } = node.metadata;
    const isNew = !this.#nodes.has(name);
    this.#nodes.set(name, node);
    if (isNew) this.#presence.tell({ name, isThere: true });
    this.#changed.tell(name);
  }

  #remove(name: string): void {
    this.#nodes.delete(name);
    this.#presence.tell({ name, isThere: false });
    this.#changed.tell(name);
  }
}
