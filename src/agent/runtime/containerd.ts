import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolderIfPossible, writeFileIfChanged } from '../../shared/files/files.ts';
import { runPaths } from '../../shared/paths.ts';
import type { Paths } from '../../shared/paths.ts';
import { childEnvironment, processComponent } from '../../host/process/process.ts';
import type { Supervisor } from '../../host/process/process.ts';
import type { Log } from '../../shared/log/log.ts';
import { hostAt } from '../../host/service/service.ts';
import { isGoingDown, shutdownGrace } from '../../host/checks/checks.ts';
import type { HostFacts } from '../../host/checks/checks.ts';
import { containerdConfig } from './config.ts';
import { criPing } from './containerd-api.ts';
import { ContainerdTemplateError } from './errors.ts';
import { shutDownPods } from './pod-shutdown.ts';
import type { ComponentName } from '../../shared/component/component.ts';

export interface ContainerdOptions {
  readonly after: readonly ComponentName[];
  readonly supervisor: Supervisor;
  readonly paths: Paths;
  readonly facts: HostFacts;
  /** Through the `current` link: shims call runc by this path for as long as their pod lives. */
  readonly binDir: string;
  readonly cniBinDirs: readonly string[];
  readonly cniConfDir: string;
  readonly snapshotter: 'overlayfs' | 'native';
  readonly defaultRuntime: string;
  readonly nonrootDevices: boolean;
  readonly sandboxImage: string;
  /** What it reaches without a proxy, as `NO_PROXY` has it. */
  readonly direct: readonly string[];
  readonly log: Log;
}

/** containerd; ready when its CRI service answers. Its end leaves shims, and so pods, running, unless the host goes down. */
export function containerdComponent(options: ContainerdOptions) {
  const { paths, facts, binDir } = options;
  const etc = join(paths.agent.etc, 'containerd');
  const configPath = join(etc, 'config.toml');
  const socketPath = runPaths.containerdSocket;
  const containerd = processComponent({
    name: 'containerd',
    after: options.after,
    supervisor: options.supervisor,
    specify: async () => {
      const registryHostsDir = paths.agent.registryHosts;
      const dropInDir = join(etc, 'conf.d');
      refuseTemplates(etc, dropInDir);
      // containerd watches the folder of CNI configurations only if it is there when it starts.
      for (const dir of [registryHostsDir, dropInDir, options.cniConfDir])
        makeFolderIfPossible(dir, 0o755, options.log);
      const config = containerdConfig({
        rootDir: paths.agent.containerd,
        stateDir: runPaths.containerd,
        socketPath,
        runcPath: join(binDir, 'runc'),
        cniBinDirs: options.cniBinDirs,
        cniConfDir: options.cniConfDir,
        registryHostsDir,
        dropInDir,
        defaultRuntime: options.defaultRuntime,
        nonrootDevices: options.nonrootDevices,
        sandboxImage: options.sandboxImage,
        systemdCgroup: facts.cgroupDriver === 'systemd',
        restrictOomScoreAdj: !facts.hasSysResource,
        snapshotter: options.snapshotter,
      });
      writeFileIfChanged(configPath, config, 0o600);
      const ping = criPing(socketPath);
      return {
        command: join(binDir, 'containerd'),
        args: ['--config', configPath, '--log-level', 'info'],
        env: childEnvironment('containerd', {
          path: binDir,
          direct: options.direct,
          from: containerdsOwn(process.env),
        }),
        ready: ping,
        live: ping,
        stopTimeoutMs: 10_000,
        backoff: { minMs: 200, maxMs: 10_000, stableAfterMs: 10_000 },
        // Its grandchildren are containers, whose images decide for themselves.
        securityContext: { allowPrivilegeEscalation: true },
      };
    },
  });
  return {
    ...containerd,
    async stop() {
      if (await isGoingDown(hostAt('/'))) await shutDownPods({ socketPath, grace: shutdownGrace, log: options.log });
      await containerd.stop();
    },
  };
}

/** `CONTAINERD_HTTPS_PROXY` is `HTTPS_PROXY` for containerd alone, as in k3s. */
export function containerdsOwn(env: Readonly<NodeJS.ProcessEnv>): Readonly<NodeJS.ProcessEnv> {
  const prefix = 'CONTAINERD_';
  const own = Object.entries(env).filter(([name]) => name.startsWith(prefix));
  return { ...env, ...Object.fromEntries(own.map(([name, value]) => [name.slice(prefix.length), value])) };
}

/** k3s's templates are Go's; here parts of the configuration are files of their own. @throws {ContainerdTemplateError} */
function refuseTemplates(etc: string, dropInDir: string): void {
  const names = ['config.toml.tmpl', 'config-v3.toml.tmpl'];
  const found = names.map((name) => join(etc, name)).find((path) => existsSync(path));
  if (found !== undefined) throw new ContainerdTemplateError(found, dropInDir);
}
