import type { LookPauses } from '../../shared/look-until.ts';

/** Each look for Ready starts a program or asks the service. */
export const readyLooks: LookPauses = { leastMs: 200, mostMs: 5000, timesLook: 9 };
