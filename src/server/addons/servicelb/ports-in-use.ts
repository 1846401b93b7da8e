import type { HostPort, HostPortOwner } from '../../../shared/protocol/channel.ts';
import type { ClusterNodes } from '../types.ts';
import { hostPortText } from './assign.ts';

const freshForMs = 30_000;

/** What nodes answer about ports that somebody else than a Service has there; asked again when an answer is old. */
export class PortsInUse {
  readonly #nodes: ClusterNodes;
  readonly #answers = new Map<string, { readonly atMs: number; readonly owners: ReadonlyMap<string, string> }>();
  /** Nodes that did not answer: whether a port is free there is not known. */
  #silent: ReadonlySet<string> = new Set();

  constructor(nodes: ClusterNodes) {
    this.#nodes = nodes;
  }

  /** Asks each of these nodes about ports of which it has not been asked lately. */
  async ask(wanted: ReadonlyMap<string, readonly HostPort[]>): Promise<void> {
    const silent = new Set<string>();
    const nowMs = performance.now();
    for (const node of this.#answers.keys()) if (!wanted.has(node)) this.#answers.delete(node);
    const asked = [...wanted].filter(([node, ports]) => this.#isDue(node, ports, nowMs));
    await Promise.all(
      asked.map(async ([node, ports]) => {
        try {
          const owners = (await this.#nodes.portsInUse(node, ports)) ?? [];
          this.#answers.set(node, { atMs: nowMs, owners: answered(ports, owners) });
        } catch {
          silent.add(node); // away, or it hangs: it says so elsewhere
        }
      }),
    );
    this.#silent = silent;
  }

  /** Who has it; a sentence, too, where that is not known. */
  ownerOf(node: string, hostPort: HostPort): string | undefined {
    const owner = this.#answers.get(node)?.owners.get(hostPortText(hostPort));
    if (owner !== undefined) return owner === '' ? undefined : owner;
    return this.#silent.has(node) ? unknown : undefined;
  }

  get isComplete(): boolean {
    return this.#silent.size === 0;
  }

  #isDue(node: string, ports: readonly HostPort[], nowMs: number): boolean {
    const known = this.#answers.get(node);
    if (known === undefined || nowMs - known.atMs > freshForMs) return true;
    return ports.some((hostPort) => !known.owners.has(hostPortText(hostPort)));
  }
}

const unknown = 'somebody that is not known yet: the node does not answer';

/** An empty text for a port that nobody has. */
function answered(asked: readonly HostPort[], owners: readonly HostPortOwner[]): ReadonlyMap<string, string> {
  const free = asked.map((hostPort): [string, string] => [hostPortText(hostPort), '']);
  return new Map([...free, ...owners.map((one): [string, string] => [hostPortText(one), one.owner])]);
}
