import { existsSync } from 'node:fs';
import type { ServiceHost } from './host.ts';
import { daemonManager } from './none.ts';
import { openrcManager } from './openrc.ts';
import type { ManagerOptions, ServiceKind, ServiceManager } from './types.ts';
import { systemdManager, unitDirs } from './systemd.ts';

/** What manages services on this box. A package that is installed but was not booted does not count. */
export function detectServiceManager(host: ServiceHost): ServiceKind {
  if (existsSync(host.path('/run/systemd/system'))) return 'systemd'; // sd_booted(3)
  if (existsSync(host.path('/run/openrc/softlevel'))) return 'openrc';
  return 'none';
}

export function createServiceManager(kind: ServiceKind, options: ManagerOptions): ServiceManager {
  switch (kind) {
    case 'systemd':
      return systemdManager(options.host, options.unitDir);
    case 'openrc':
      return openrcManager(options);
    case 'none':
      return daemonManager(options.host);
  }
}

/** For looking and removing: of every kind, wherever a unit may be; a box may have been installed on under another one. */
export function everyServiceManager(options: ManagerOptions): readonly ServiceManager[] {
  return [
    ...unitDirs.map((unitDir) => createServiceManager('systemd', { ...options, unitDir })),
    createServiceManager('openrc', options),
    createServiceManager('none', options),
  ];
}
