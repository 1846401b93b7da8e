import { expect, test } from 'vitest';
import { exhaustedRanges, rangeCondition } from '../../../../src/server/nodes/pod-ranges.ts';

const node = (name: string, ...podCIDRs: readonly string[]) => ({ metadata: { name }, spec: { podCIDRs } });
const small = { clusterCidr: '10.42.0.0/24', nodeCidrMaskSize: 24 };

test('a node for which no range is left is named, with who has them and what would help', () => {
  const [s1, a1] = [node('s1', '10.42.0.0/24'), node('a1')];
  const said = exhaustedRanges(small, [s1, a1]);
  expect(said).toBe(
    "no range of pod addresses is left for a1: 10.42.0.0/24 has 1 of /24, which s1 has; remove a node that is not needed with 'kagent node rm NAME', or make a new cluster with a larger --cluster-cidr",
  );
  expect(rangeCondition(a1, () => said)).toMatchObject({ status: 'False', reason: 'PodCIDRsExhausted', message: said });
  expect(rangeCondition(s1, () => said)).toBeUndefined();
});

test('while a range is left, or nobody lacks one, nothing is said', () => {
  expect(exhaustedRanges(small, [node('s1', '10.42.0.0/24')])).toBeUndefined();
  expect(
    exhaustedRanges({ ...small, clusterCidr: '10.42.0.0/23' }, [node('s1', '10.42.0.0/24'), node('a1')]),
  ).toBeUndefined();
  // A range of another plan takes none of this one's.
  expect(exhaustedRanges(small, [node('old', '10.99.0.0/24'), node('a1')])).toBeUndefined();
});

test('of many nodes some are named', () => {
  const having = Array.from({ length: 8 }, (_, index) => node(`n${index}`, `10.42.0.${index * 32}/27`));
  const said = exhaustedRanges({ clusterCidr: '10.42.0.0/24', nodeCidrMaskSize: 27 }, [...having, node('late')]);
  expect(said).toContain('left for late: 10.42.0.0/24 has 8 of /27, which n0, n1, n2, n3, n4 and 3 more have;');
});
