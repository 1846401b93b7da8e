import { createPublicKey } from 'node:crypto';
import type { NewUserRequest } from '../../shared/protocol/local.ts';
import type { IssuedCertificate, Pki } from '../pki/pki.ts';
import { UserNameInvalidError } from './errors.ts';

/** Whoever is in it may do everything, whatever RBAC says. */
const masters = 'system:masters';

/**
 * A certificate by which kube-apiserver knows a person; what that person may do is RBAC's to say. It cannot be revoked.
 * @throws {UserNameInvalidError} for names by which Kubernetes knows its own parts
 */
export async function issueUserCertificate(
  pki: Pick<Pki, 'clientCa'>,
  { name, groups, ttlMs, publicKeyPem }: NewUserRequest,
): Promise<IssuedCertificate> {
  const reserved = [name, ...groups].find((one) => one.startsWith('system:') && one !== masters);
  if (reserved !== undefined || name === masters) throw new UserNameInvalidError(reserved ?? name);
  return pki.clientCa.issue({
    commonName: name,
    organizations: groups,
    usages: ['client'],
    publicKey: createPublicKey(publicKeyPem),
    validMs: ttlMs,
  });
}
