import { BlockList, isIP } from 'node:net';
import type { JoinRequest, JoinResponse } from '../../shared/protocol/join.ts';
import { publicKeyOfCsr, type CertificateAuthority, type CertificateRequest, type Pki } from '../pki/pki.ts';
import { NodeAddressInvalidError, NodeNameInvalidError } from './errors.ts';

/** RFC 1123 subdomain, which is what Kubernetes takes as a node's name. */
const nodeNamePattern = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$/;

/**
 * The certificates of one node. Names come from here alone; of the signing requests only the keys are taken.
 * flannel gets a user per node, so that a policy can keep each from writing another's annotations.
 */
export async function issueNodeCertificates(
  pki: Pick<Pki, 'clientCa' | 'kubeletCa'>,
  request: JoinRequest,
): Promise<JoinResponse['certificates']> {
  const { nodeName, addresses, csrs } = request;
  if (!nodeNamePattern.test(nodeName)) throw new NodeNameInvalidError(nodeName);
  const wrongAddress = addresses.find((address) => !isNodeAddress(address));
  if (wrongAddress !== undefined) throw new NodeAddressInvalidError(wrongAddress);
  const sign = async (ca: CertificateAuthority, csr: string, subject: Omit<CertificateRequest, 'publicKey'>) => {
    const { certPem } = await ca.issue({ ...subject, publicKey: await publicKeyOfCsr(csr) });
    return certPem;
  };
  const [kubelet, kubeletServing, kubeProxy, flannel] = await Promise.all([
    sign(pki.clientCa, csrs.kubelet, {
      commonName: `system:node:${nodeName}`,
      organizations: ['system:nodes'],
      usages: ['client'],
    }),
    sign(pki.kubeletCa, csrs.kubeletServing, {
      commonName: `system:node:${nodeName}`,
      organizations: ['system:nodes'],
      dnsNames: [nodeName],
      ipAddresses: [...new Set(addresses)],
      usages: ['server'],
    }),
    sign(pki.clientCa, csrs.kubeProxy, { commonName: 'system:kube-proxy', usages: ['client'] }),
    sign(pki.clientCa, csrs.flannel, {
      commonName: `${flannelUserPrefix}${nodeName}`,
      organizations: [flannelGroup],
      usages: ['client'],
    }),
  ]);
  return { kubelet, kubeletServing, kubeProxy, flannel };
}

export const flannelUserPrefix = 'system:kagent:flannel:';
export const flannelGroup = 'kagent:flannel';

/** Loopback is everybody's, and nobody is reached at 0.0.0.0 or a multicast group. */
function isNodeAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 0) return false;
  return !unusable.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

const unusable = new BlockList();
unusable.addSubnet('127.0.0.0', 8, 'ipv4');
unusable.addSubnet('0.0.0.0', 8, 'ipv4');
unusable.addSubnet('224.0.0.0', 3, 'ipv4');
unusable.addAddress('::1', 'ipv6');
unusable.addAddress('::', 'ipv6');
unusable.addSubnet('ff00::', 8, 'ipv6');
