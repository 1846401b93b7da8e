import type { KeyObject } from 'node:crypto';
import type { JoinRequest, JoinResponse } from '../../shared/protocol/join.ts';
import { isNodeName } from '../../shared/node-name.ts';
import { publicKeyOfCsr } from '../pki/pki.ts';
import type { CertificateAuthority, CertificateRequest, Pki } from '../pki/pki.ts';
import { flannelUserPrefix, nodeCertificateMs } from '../identity/identity.ts';
import { NodeNameInvalidError } from './errors.ts';

/** The keys of a node's signing requests: of all that they say, this alone is taken. */
export type NodeKeys = Readonly<Record<keyof JoinRequest['csrs'], KeyObject>>;

/** @throws {NodeNameInvalidError} @throws {CsrInvalidError} */
export async function keysOf({ nodeName, csrs }: Pick<JoinRequest, 'nodeName' | 'csrs'>): Promise<NodeKeys> {
  if (!isNodeName(nodeName)) throw new NodeNameInvalidError(nodeName);
  const [kubelet, kubeletServing, kubeProxy, flannel] = await Promise.all(
    [csrs.kubelet, csrs.kubeletServing, csrs.kubeProxy, csrs.flannel].map(publicKeyOfCsr),
  );
  if (kubelet === undefined || kubeletServing === undefined || kubeProxy === undefined || flannel === undefined)
    throw new TypeError('four requests give four keys');
  return { kubelet, kubeletServing, kubeProxy, flannel };
}

/**
 * The certificates of one node, good for some days. Names and addresses come from what was decided about it.
 * flannel gets a user per node, so that a policy can keep each from writing another's annotations. All carry the node's
 * uid, so that kube-apiserver knows those of a machine that has lost its name.
 */
export async function issueNodeCertificates(
  pki: Pick<Pki, 'clientCa' | 'kubeletCa'>,
  node: {
    readonly nodeName: string;
    readonly uid: string;
    readonly addresses: readonly string[];
    readonly keys: NodeKeys;
  },
): Promise<JoinResponse['certificates']> {
  const { nodeName, uid, addresses, keys } = node;
  const sign = async (ca: CertificateAuthority, subject: Omit<CertificateRequest, 'uid' | 'validMs'>) => {
    const { certPem } = await ca.issue({ ...subject, uid, validMs: nodeCertificateMs });
    return certPem;
  };
  const [kubelet, kubeletServing, kubeProxy, flannel] = await Promise.all([
    sign(pki.clientCa, {
      commonName: `system:node:${nodeName}`,
      organizations: ['system:nodes'],
      usages: ['client'],
      publicKey: keys.kubelet,
    }),
    sign(pki.kubeletCa, {
      commonName: `system:node:${nodeName}`,
      organizations: ['system:nodes'],
      dnsNames: [nodeName],
      ipAddresses: addresses,
      usages: ['server'],
      publicKey: keys.kubeletServing,
    }),
    sign(pki.clientCa, { commonName: 'system:kube-proxy', usages: ['client'], publicKey: keys.kubeProxy }),
    sign(pki.clientCa, {
      commonName: `${flannelUserPrefix}${nodeName}`,
      organizations: [flannelGroup],
      usages: ['client'],
      publicKey: keys.flannel,
    }),
  ]);
  return { kubelet, kubeletServing, kubeProxy, flannel };
}

export const flannelGroup = 'kagent:flannel';
