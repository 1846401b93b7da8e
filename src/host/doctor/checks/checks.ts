import type { Check } from '../check.ts';
import { cgroupChecks } from './cgroups.ts';
import { clockChecks } from './clock.ts';
import { componentChecks } from './components.ts';
import { diskChecks } from './disk.ts';
import { firewallChecks } from './firewall.ts';
import { kernelChecks } from './kernel.ts';
import { limitChecks } from './limits.ts';
import { memoryChecks } from './memory.ts';
import { nftablesCheck } from './nftables.ts';
import { networkChecks } from './network.ts';
import { otherSoftwareChecks } from './other-software.ts';
import { privilegeChecks } from './privileges.ts';

/** Root comes first. */
export const hostDoctorChecks: readonly Check[] = [
  ...privilegeChecks,
  ...kernelChecks,
  ...cgroupChecks,
  ...limitChecks,
  ...memoryChecks,
  ...diskChecks,
  ...networkChecks,
  ...firewallChecks,
  nftablesCheck,
  ...clockChecks,
  ...otherSoftwareChecks,
  ...componentChecks,
];
