import { join } from 'node:path';
import { writeFileIfChanged } from '../../shared/files/files.ts';
import type { Account } from './account.ts';
import type { TrustBundle } from '../pki/pki.ts';
import { flannelUserPrefix } from '../identity/identity.ts';
import type { RevokedIdentity } from '../identity/identity.ts';

/** Where kagent's supervisor says no: kube-apiserver asks there about those who have lost their identity, and only them. */
export const revokedPath = '/v1/revoked';

export interface AuthorizationOptions {
  /** Where the files are written. */
  readonly dir: string;
  /** Of the supervisor on this host. */
  readonly supervisorUrl: string;
  readonly trust: TrustBundle;
  readonly account: Pick<Account, 'give' | 'refresh'>;
}

/** What tells kube-apiserver who may do what: nodes what they need, everybody what RBAC says, the revoked nothing. */
export interface Authorization {
  /** For kube-apiserver. */
  readonly configFile: string;
  revoke(revoked: readonly RevokedIdentity[]): void;
}

/**
 * kube-apiserver reads its file anew when it changes. There are no lists of revoked certificates in Kubernetes; a webhook that
 * is asked about some users alone, and always refuses, is one. If it cannot be asked, that is a no too.
 * @see Kubernetes "Authorization", AuthorizationConfiguration v1
 */
export function openAuthorization({ dir, supervisorUrl, trust, account }: AuthorizationOptions): Authorization {
  const kubeconfigFile = join(dir, 'revoked.kubeconfig');
  const writeKubeconfig = (): void =>
    void writeFileIfChanged(kubeconfigFile, kubeconfig(`${supervisorUrl}${revokedPath}`, trust.pem), 0o600);
  writeKubeconfig();
  trust.onChange(writeKubeconfig);
  const kubeconfigGiven = account.give(kubeconfigFile);
  const configFile = join(dir, 'authorization.json');
  const write = (revoked: readonly RevokedIdentity[]) =>
    writeFileIfChanged(configFile, configuration(revoked, kubeconfigGiven), 0o600);
  write([]); // who they are the datastore says, before kube-apiserver starts
  return {
    configFile: account.give(configFile),
    revoke(revoked) {
      write(revoked);
      account.refresh();
    },
  };
}

function configuration(revoked: readonly RevokedIdentity[], kubeConfigFile: string): string {
  const deny = {
    type: 'Webhook',
    name: 'revoked',
    webhook: {
      timeout: '3s',
      authorizedTTL: '1s',
      unauthorizedTTL: '60s',
      subjectAccessReviewVersion: 'v1',
      matchConditionSubjectAccessReviewVersion: 'v1',
      failurePolicy: 'Deny',
      connectionInfo: { type: 'KubeConfigFile', kubeConfigFile },
      matchConditions: [{ expression: isRevoked(revoked) }],
    },
  };
  const config = {
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'AuthorizationConfiguration',
    authorizers: [
      ...(revoked.length === 0 ? [] : [deny]),
      { type: 'Node', name: 'node' },
      { type: 'RBAC', name: 'rbac' },
    ],
  };
  return `${JSON.stringify(config)}\n`;
}

/** Nobody has to say who asks: the answer is the same for all. */
function kubeconfig(server: string, caPem: string): string {
  const authority = Buffer.from(caPem).toString('base64');
  return `${JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'supervisor', cluster: { server, 'certificate-authority-data': authority } }],
    contexts: [{ name: 'supervisor', context: { cluster: 'supervisor' } }],
    'current-context': 'supervisor',
  })}\n`;
}

/** In CEL. What all nodes' kube-proxies are called is known apart by the uid alone. */
function isRevoked(revoked: readonly RevokedIdentity[]): string {
  const uids = revoked.map(({ uid }) => uid).filter((uid) => uid !== '');
  const names = revoked
    .filter(({ uid }) => uid === '')
    .flatMap(({ nodeName }) => [`system:node:${nodeName}`, `${flannelUserPrefix}${nodeName}`]);
  return `has(request.uid) && request.uid != '' ? request.uid in ${listOf(uids)} : request.user in ${listOf(names)}`;
}

function listOf(texts: readonly string[]): string {
  return `[${texts.map((text) => JSON.stringify(text)).join(', ')}]`;
}
