/** Without it nobody may lower `oom_score_adj`. */
export const capSysResource = 24;

/** @param status the text of /proc/self/status @param capability its bit, see capabilities(7) */
export function hasCapability(status: string, capability: number): boolean {
  const bounding = /^CapBnd:\s*([0-9a-f]+)/m.exec(status)?.[1];
  return bounding !== undefined && ((BigInt(`0x${bounding}`) >> BigInt(capability)) & 1n) === 1n;
}
