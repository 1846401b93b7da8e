import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { runDir, runPaths } from '../../shared/paths.ts';
import { childEnvironment, runAs } from '../../host/process/process.ts';
import { helmUser } from '../cluster/cluster.ts';
import { openAccount } from './account.ts';
import type { Account } from './account.ts';
import { kubeconfigPath, writeProgramKubeconfig } from './certificates.ts';
import type { ControlPlaneOptions, Helm } from './types.ts';

const name = 'helm-controller';

/** Its user, its folders and its certificate are made when it is first needed: a cluster without HelmCharts has none of them. */
export function createHelm(
  options: Pick<ControlPlaneOptions, 'binDir' | 'pki' | 'paths' | 'localUrl' | 'direct'>,
): Helm {
  const { binDir, direct } = options;
  let opened: Account | undefined;
  return {
    async run(request, { timeoutMs, onLine }, signal) {
      opened ??= openHelmAccount();
      const account = opened;
      const kubeconfig = await giveKubeconfig(account, options);
      const env = childEnvironment(name, {
        path: binDir,
        direct,
        extra: { KUBECONFIG: kubeconfig, HOME: runPaths.helm },
      });
      const input = JSON.stringify({ ...request, workDir: runPaths.helm });
      // Found from its own folder, so that the folders above may be closed to the user that it is.
      return await runAs(account.securityContext, ['./helm-release'], {
        cwd: binDir,
        env,
        input,
        timeoutMs,
        onLine,
        signal,
      });
    },
  };
}

function openHelmAccount(): Account {
  rmSync(runPaths.helm, { recursive: true, force: true }); // what a run that was killed has left
  const ownDir = runPaths.helm;
  return openAccount({ program: 'helm', process: name, extraArgs: [], port: 1024, ownDir, runDir });
}

/** As it is now: certificates are renewed. */
async function giveKubeconfig(
  account: Account,
  { pki, paths, localUrl }: Pick<ControlPlaneOptions, 'pki' | 'paths' | 'localUrl'>,
): Promise<string> {
  const leaf = await pki.keepLeaf(pki.clientCa, { name, commonName: helmUser, usages: ['client'] });
  const path = kubeconfigPath(paths.server.cred, name);
  writeProgramKubeconfig({
    path,
    server: localUrl,
    user: helmUser,
    caFile: account.give(pki.serverCa.certFile),
    leaf: { ...leaf, certFile: account.give(leaf.certFile), keyFile: account.give(leaf.keyFile) },
  });
  return account.give(join(path));
}
