/** Whether the lists have the same members, however often and in whatever order. */
export function sameSet(left: Iterable<string>, right: Iterable<string>): boolean {
  return new Set(left).symmetricDifference(new Set(right)).size === 0;
}
