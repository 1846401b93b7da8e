import { hostChecks } from '../../checks/checks.ts';
import { installCommand } from '../../packages/packages.ts';
import { fine, unreadable, warning } from '../check.ts';
import type { Check } from '../check.ts';
import { faultsOf } from './from-host.ts';
import { processNames } from './reading.ts';

/** As /proc shows their names, fifteen letters of them. */
const timekeepers = ['chronyd', 'ntpd', 'ntpd-rs', 'systemd-timesyn', 'openntpd', 'VBoxService', 'vmtoolsd'];

export const clockChecks: readonly Check[] = [
  {
    name: 'clock',
    group: 'Clock',
    title: 'the clock is not before the day kagent was built',
    why: 'no certificate would be valid; boards without a battery boot in 1970',
    fix: 'set the clock: date -s, or start an NTP client',
    look: ({ needs }) => faultsOf(hostChecks.clock.look(needs)),
  },
  {
    name: 'clock-kept',
    group: 'Clock',
    title: 'something keeps the clock right',
    why: 'clocks drift apart: leases and certificates are then wrong for one box or the other',
    fix: 'install and start chrony',
    look({ root }) {
      if (root.read('/proc/self/status') === undefined) return unreadable('/proc');
      const names = processNames(root);
      if (timekeepers.some((name) => names.has(name))) return fine;
      if (root.realPath('/run/systemd/timesync/synchronized') !== undefined) return fine;
      return warning(
        'no program that keeps the clock right runs here',
        installCommand(['chrony'], root.read('/etc/os-release') ?? ''),
      );
    },
  },
];
