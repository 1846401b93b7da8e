/** Which Service has which port of which node. Knows no API: names, numbers and who came first. */
import type { HostPort } from '../../../shared/protocol/channel.ts';

/** A Service that wants its ports on nodes. */
export interface Claim {
  /** `default/web` */
  readonly key: string;
  readonly ports: readonly HostPort[];
  /** Nodes that may take it. */
  readonly nodes: readonly string[];
  /** Nodes whose addresses it has already: what came there later does not take them away. */
  readonly holds: ReadonlySet<string>;
  /** RFC 3339. */
  readonly createdAt: string;
}

/** A port that a Service does not get on these nodes. */
export interface Refusal {
  readonly hostPort: HostPort;
  readonly nodes: readonly string[];
  /** Who has it: `the Service default/web`, `sshd (pid 812) on the node`. */
  readonly by: string;
}

export interface Assignment {
  readonly nodes: readonly string[];
  readonly refusals: readonly Refusal[];
}

/**
 * A Service gets a node with all of its ports or not at all. Who has a node keeps it; among the others the older one is first.
 * @param inUse who else has the port on that node, if somebody has
 */
export function assign(
  claims: readonly Claim[],
  inUse: (node: string, hostPort: HostPort) => string | undefined,
): ReadonlyMap<string, Assignment> {
  const taken = new Map<string, string>();
  const assignments = new Map<string, Assignment>();
  for (const claim of claims.toSorted(byPrecedence)) {
    const refusals = new Refusals();
    const nodes = claim.nodes.filter((node) => {
      for (const hostPort of claim.ports) {
        const owner = taken.get(placeOf(node, hostPort));
        const by = owner === undefined ? inUse(node, hostPort) : `the Service ${owner}`;
        const isKept = owner === undefined && claim.holds.has(node);
        if (by !== undefined && !isKept) refusals.add(node, hostPort, by);
      }
      return !refusals.has(node);
    });
    for (const node of nodes) for (const hostPort of claim.ports) taken.set(placeOf(node, hostPort), claim.key);
    assignments.set(claim.key, { nodes, refusals: refusals.all() });
  }
  return assignments;
}

export function hostPortText({ protocol, port }: HostPort): string {
  return `${port}/${protocol}`;
}

const placeOf = (node: string, hostPort: HostPort) => `${node} ${hostPortText(hostPort)}`;

function byPrecedence(a: Claim, b: Claim): number {
  return rankOf(a) < rankOf(b) ? -1 : 1;
}

function rankOf({ holds, createdAt, key }: Claim): string {
  return `${holds.size > 0 ? 0 : 1} ${createdAt} ${key}`;
}

class Refusals {
  readonly #all = new Map<string, { readonly hostPort: HostPort; readonly nodes: string[]; readonly by: string }>();

  add(node: string, hostPort: HostPort, by: string): void {
    const key = `${hostPortText(hostPort)} ${by}`;
    const known = this.#all.get(key) ?? { hostPort, nodes: [], by };
    known.nodes.push(node);
    this.#all.set(key, known);
  }

  has(node: string): boolean {
    return [...this.#all.values()].some(({ nodes }) => nodes.includes(node));
  }

  all(): readonly Refusal[] {
    return [...this.#all.values()];
  }
}
