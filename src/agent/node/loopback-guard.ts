import { messageOf } from '../../shared/errors.ts';
import type { Log } from '../../shared/log/log.ts';
import { hostRoot, routeLocalnet } from '../../host/checks/checks.ts';
import { run } from '../../host/run.ts';

/**
 * kube-proxy's and the kubelet's own rule, to the letter, so that they find it.
 * @see Kubernetes v1.37 pkg/kubelet/kubelet_network_linux.go
 */
const rules = `*filter
:KUBE-FIREWALL - [0:0]
-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
-I INPUT -j KUBE-FIREWALL
COMMIT
`;

/**
 * kube-proxy opens 127.0.0.1 of this host (`route_localnet`) as it starts, and closes it to neighbours with its first rules,
 * which need an answer of kube-apiserver. So the rule is there before kube-proxy is.
 */
export async function guardLoopback({ path, log }: { readonly path: string; readonly log: Log }): Promise<void> {
  if (hostRoot().read(`/proc/sys/${routeLocalnet}`)?.trim() !== '0') return; // it is open, and has been guarded since then
  try {
    await run('iptables-restore', ['--noflush', '--wait', '5'], { env: { PATH: path }, input: rules });
  } catch (error) {
    log.warn('127.0.0.1 is not closed to neighbours before kube-proxy starts', { reason: messageOf(error) });
  }
}
