import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { letThrough, makeFolder, namesIfReadable } from '../../shared/files/files.ts';
import { runDir as usualRunDir } from '../../shared/paths.ts';
import { childEnvironment, runAs } from '../../host/process/process.ts';
import { helmUser } from '../cluster/cluster.ts';
import type { HelmProgram } from '../cluster/cluster.ts';
import { openAccount } from './account.ts';
import type { Account } from './account.ts';
import { kubeconfigPath, writeProgramKubeconfig } from './certificates.ts';
import type { ControlPlaneOptions } from './types.ts';

const name = 'helm-controller';

type HelmOptions = Pick<ControlPlaneOptions, 'binDir' | 'pki' | 'paths' | 'localUrl' | 'direct' | 'log'> & {
  readonly runDir?: string;
};

/** Its user, its folders and its certificate are made when it is first needed: a cluster without HelmCharts has none of them. */
export function createHelm(options: HelmOptions): HelmProgram {
  const { binDir, direct, log, runDir = usualRunDir } = options;
  /** For what it downloads; in memory, as all of /run. */
  const workDir = join(runDir, 'helm');
  let opened: Account | undefined;
  let running = 0;
  const open = () => {
    makeFolder(runDir, 0o755);
    letThrough(runDir);
    rmSync(workDir, { recursive: true, force: true }); // what a run that was killed has left
    const account = openAccount({ program: 'helm', process: name, extraArgs: [], port: 1024, ownDir: workDir, runDir });
    const { isRootBecause } = account;
    if (isRootBecause !== undefined) log?.warn('a program runs as root', { component: name, reason: isRootBecause });
    return account;
  };
  return {
    async run(request, { timeoutMs, onLine }, signal) {
      opened ??= open();
      const { securityContext } = opened;
      const kubeconfig = await giveKubeconfig(opened, options);
      const env = childEnvironment(name, { path: binDir, direct, extra: { KUBECONFIG: kubeconfig, HOME: workDir } });
      const input = JSON.stringify({ ...request, workDir });
      running += 1;
      try {
        // Found from its own folder, so that the folders above may be closed to the user that it is.
        const command = { cwd: binDir, env, input, timeoutMs, onLine, signal };
        return await runAs(securityContext, ['./helm-release'], command);
      } finally {
        running -= 1;
        if (running === 0) empty(workDir); // one that was killed has left something
      }
    },
  };
}

function empty(dir: string): void {
  for (const name of namesIfReadable(dir)) rmSync(join(dir, name), { recursive: true, force: true });
}

/** As it is now: certificates are renewed. */
async function giveKubeconfig(account: Account, { pki, paths, localUrl }: HelmOptions): Promise<string> {
  const leaf = await pki.keepLeaf(pki.clientCa, { name, commonName: helmUser, usages: ['client'] });
  const path = kubeconfigPath(paths.server.cred, name);
  writeProgramKubeconfig({
    path,
    server: localUrl,
    user: helmUser,
    caFile: account.give(pki.serverCa.certFile),
    leaf: { ...leaf, certFile: account.give(leaf.certFile), keyFile: account.give(leaf.keyFile) },
  });
  return account.give(path);
}
