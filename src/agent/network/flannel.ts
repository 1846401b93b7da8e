import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeFolder, writeFileIfChanged } from '../../shared/files/files.ts';
import { runPaths } from '../../shared/paths.ts';
import type { Paths } from '../../shared/paths.ts';
import { childEnvironment, nodeProcess, processComponent } from '../../host/process/process.ts';
import type { Supervisor } from '../../host/process/process.ts';
import type { ClusterSettings } from '../../shared/protocol/join.ts';
import type { HostFacts } from '../../host/checks/checks.ts';
import { SubnetFileError } from './errors.ts';
import { flannelConfig } from './subnet.ts';
import type { ComponentName } from '../../shared/component/component.ts';

export interface FlannelOptions {
  readonly after: readonly ComponentName[];
  readonly supervisor: Supervisor;
  readonly paths: Paths;
  readonly facts: HostFacts;
  readonly settings: ClusterSettings;
  readonly binDir: string;
  readonly kubeconfigPath: string;
  /** What it reaches without a proxy, as `NO_PROXY` has it. */
  readonly direct: readonly string[];
}

/** flanneld; ready when this life of it has written the subnet file. */
export function flannelComponent(options: FlannelOptions) {
  const { paths, facts, binDir } = options;
  const configPath = join(paths.agent.etc, 'flannel', 'net-conf.json');
  const subnetPath = runPaths.flannelSubnet;
  return processComponent({
    name: 'flanneld',
    after: options.after,
    supervisor: options.supervisor,
    specify: async () => {
      writeFileIfChanged(configPath, flannelConfig(options.settings), 0o600);
      makeFolder(dirname(subnetPath), 0o755);
      let earlier: string | undefined;
      return {
        partOf: { process: nodeProcess, after: [] },
        command: join(binDir, 'flanneld'),
        args: [
          `--kubeconfig=${options.kubeconfigPath}`,
          `--node-name=${facts.nodeName}`,
          `--iface=${facts.defaultInterface}`,
          `--public-ip=${facts.flannelIp ?? facts.nodeIp}`,
          `--net-config-path=${configPath}`,
          `--subnet-file=${subnetPath}`,
          '--ip-masq',
        ],
        env: childEnvironment(nodeProcess.name, { path: binDir, direct: options.direct }),
        // flanneld reads it, to take back rules for a subnet it no longer has: it stays where it is.
        prepare: () => (earlier = versionOf(subnetPath)),
        ready: () => subnetIsWritten(subnetPath, earlier),
        stopTimeoutMs: 5000,
        backoff: { minMs: 200, maxMs: 10_000, stableAfterMs: 10_000 },
      };
    },
  });
}

async function subnetIsWritten(path: string, earlier: string | undefined): Promise<void> {
  if (versionOf(path) === earlier) throw new SubnetFileError('it is not written yet');
}

/** Differs for each writing: flanneld renames a new file over the old one. */
function versionOf(path: string): string | undefined {
  const stat = statSync(path, { throwIfNoEntry: false, bigint: true });
  return stat === undefined ? undefined : `${stat.ino} ${stat.mtimeNs}`;
}
