import { join } from 'node:path';
import { writeFileIfChanged } from '../../shared/files/files.ts';
import { flannelUserPrefix, type RevokedIdentity } from '../identity/identity.ts';

/** Where kagent's supervisor says no: kube-apiserver asks there about those who have lost their identity, and only them. */
export const revokedPath = '/v1/revoked';

/** The files that tell kube-apiserver who may do what: nodes what they need, everybody what RBAC says, the revoked nothing. */
export function authorizationFiles(dir: string): { readonly config: string; readonly kubeconfig: string } {
  return { config: join(dir, 'authorization.json'), kubeconfig: join(dir, 'revoked.kubeconfig') };
}

/**
 * kube-apiserver reads it anew when it changes. There are no lists of revoked certificates in Kubernetes; a webhook that is
 * asked about some users alone, and always refuses, is one. If it cannot be asked, that is a no too.
 * @see Kubernetes "Authorization", AuthorizationConfiguration v1
 */
export function writeAuthorization(
  dir: string,
  {
    supervisorUrl,
    caFile,
    revoked,
  }: { readonly supervisorUrl: string; readonly caFile: string; readonly revoked: readonly RevokedIdentity[] },
): void {
  const files = authorizationFiles(dir);
  writeFileIfChanged(files.kubeconfig, kubeconfig(`${supervisorUrl}${revokedPath}`, caFile), 0o600);
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
      connectionInfo: { type: 'KubeConfigFile', kubeConfigFile: files.kubeconfig },
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
  writeFileIfChanged(files.config, `${JSON.stringify(config)}\n`, 0o600);
}

/** Nobody has to say who asks: the answer is the same for all. */
function kubeconfig(server: string, caFile: string): string {
  return `${JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'supervisor', cluster: { server, 'certificate-authority': caFile } }],
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
