/** Boxes that are a Debian of their own, booted by a service manager, with kagent installed as a person does it. */
import { hasStarted } from '../../src/host/daemon/daemon.ts';
import { dirname, join, resolve } from 'node:path';
import type { ServiceKind } from '../../src/host/service/service.ts';
import { boxOn, executable, keepLogsAndWipe } from './cluster.ts';
import type { Box } from './cluster.ts';
import { debianRoot, inits } from './debian.ts';
import { createLab } from './lab.ts';
import { eventually } from './wait.ts';

const scripts = resolve(import.meta.dirname, '../../scripts');

export interface ServiceBox extends Box {
  /** scripts/install.sh with the built executable. @returns what it said */
  install(args?: string, environment?: string): Promise<string>;
  /** Asks the service manager for a reboot, and returns when its host has booted again. @returns how long going down took */
  reboot(command: string): Promise<number>;
  /** Until `kagent status` of the service says Ready. @returns its pid */
  ready(): Promise<number>;
  /** Ids of the containers that run. */
  containers(): Promise<readonly string[]>;
}

export interface ServiceBoxes {
  /** `s1`, at .11 */
  readonly server: ServiceBox;
  /** `a1`, at .21 */
  readonly agent: ServiceBox;
  wipe(): Promise<void>;
}

/** Two boxes on one switch; nothing is installed on them. */
export async function createServiceBoxes(scenario: string, kind: ServiceKind): Promise<ServiceBoxes> {
  const lab = await createLab({ share: [dirname(executable), scripts] });
  try {
    const how = { root: await debianRoot(), init: inits[kind] };
    const [server, agent] = [
      serviceBox(boxOn(await lab.host('s1', 11, how))),
      serviceBox(boxOn(await lab.host('a1', 21, how))),
    ];
    return { server, agent, wipe: () => keepLogsAndWipe(lab, [server, agent], scenario) };
  } catch (error) {
    await lab.wipe();
    throw error;
  }
}

/** The installer's variables with which an agent joins this server. */
export async function toJoin(server: Box): Promise<string> {
  const token = (await server.sh('cat /var/lib/kagent/server/node-token')).trim();
  return `KAGENT_URL=https://${server.host.address}:9345 KAGENT_TOKEN='${token}'`;
}

function serviceBox(box: Box): ServiceBox {
  const { host } = box;
  return {
    ...box,
    async install(args = '', environment = '') {
      await box.sh(`install -m 755 '${executable}' /usr/local/bin/kagent`);
      return box.sh(
        `INSTALL_KAGENT_SKIP_DOWNLOAD=true ${environment} sh '${join(scripts, 'install.sh')}' ${args} 2>&1`,
      );
    },
    async reboot(command) {
      const fromMs = performance.now();
      await host.exec(['/bin/sh', '-c', command]).catch(() => {}); // its shell may end with the host
      await eventually(() => host.isOff(), { withinMs: 60_000, what: 'the end of the host' });
      const downMs = performance.now() - fromMs;
      await host.off(); // what is left of a host when its first program has ended
      await host.up();
      return downMs;
    },
    async ready() {
      const status = await eventually(
        async () => {
          const now = await box.status();
          return hasStarted(now) && now;
        },
        { withinMs: 120_000, what: `a Ready node on ${host.name}` },
      );
      return status.pid;
    },
    containers: async () => (await box.sh('crictl ps -q 2>/dev/null')).trim().split('\n').toSorted(),
  };
}
