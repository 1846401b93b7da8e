/**
 * What the C library is told by its environment, which is read before kagent's first line: memory that was freed goes back
 * to the system. Unpacking the components and importing images otherwise leave 90 to 170 MiB behind for good: 198 MiB of an
 * agent's memory were its own after its first start, with this 30, and the start took no longer.
 * @see mallopt(3), M_TRIM_THRESHOLD
 */
export const allocatorVariables = { MALLOC_TRIM_THRESHOLD_: '131072' } as const;
