import { contains, range4 } from '../../shared/ipv4/ipv4.ts';
import { podNetworkType } from './conditions.ts';
import type { NodeCondition } from './conditions.ts';
import type { NodeObject } from './directory.ts';

/** What kube-controller-manager gives nodes their pod addresses from. */
export interface PodRangePlan {
  readonly clusterCidr: string;
  readonly nodeCidrMaskSize: number;
}

const mostNamed = 5;

/** Why a node has no pod addresses: kube-controller-manager has no range left for it. Undefined while it has, or nobody lacks one. */
export function exhaustedRanges(plan: PodRangePlan, nodes: readonly NodeObject[]): string | undefined {
  const { clusterCidr, nodeCidrMaskSize } = plan;
  const total = 2 ** (nodeCidrMaskSize - range4(clusterCidr).prefixLength);
  const isOfCluster = (cidr: string) => contains(clusterCidr, cidr.split('/', 1)[0] ?? '');
  const having = nodes.filter((node) => rangesOf(node).some(isOfCluster));
  const lacking = nodes.filter((node) => rangesOf(node).length === 0);
  if (lacking.length === 0 || having.length < total) return undefined;
  return (
    `no range of pod addresses is left for ${named(lacking)}: ${clusterCidr} has ${total} of /${nodeCidrMaskSize}, which ${named(having)} ${having.length === 1 ? 'has' : 'have'}; ` +
    `remove a node that is not needed with 'kagent node rm NAME', or make a new cluster with a larger --cluster-cidr`
  );
}

/** Of a node without pod addresses. @param exhausted looks at all nodes, and so is asked for such a node alone */
export function rangeCondition(
  node: NodeObject | undefined,
  exhausted: () => string | undefined,
): NodeCondition | undefined {
  if (node === undefined || rangesOf(node).length > 0) return undefined;
  const message = exhausted();
  if (message === undefined) return undefined;
  return { type: podNetworkType, status: 'False', reason: 'PodCIDRsExhausted', message };
}

function rangesOf({ spec }: NodeObject): readonly string[] {
  return spec?.podCIDRs ?? [];
}

function named(nodes: readonly NodeObject[]): string {
  const names = nodes.map(({ metadata }) => metadata.name);
  const more = names.length > mostNamed ? ` and ${names.length - mostNamed} more` : '';
  return names.slice(0, mostNamed).join(', ') + more;
}
