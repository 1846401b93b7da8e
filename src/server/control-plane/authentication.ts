import { readFileSync } from 'node:fs';
import { ComponentArgumentError, truthOf, valueOf } from '../../shared/arguments/arguments.ts';
import type { Flag } from '../../shared/arguments/arguments.ts';
import { messageOf } from '../../shared/errors.ts';

const setting = 'kube-apiserver-arg';

export interface Authentication {
  /** Of kagent's AuthenticationConfiguration; undefined where the operator has one. */
  readonly fileText: string | undefined;
  /** The operator's flags that are not in it. */
  readonly passed: readonly Flag[];
}

/**
 * Who may come to kube-apiserver beside those with a certificate or a service account's token. kube-apiserver takes no `oidc-*`
 * and no `anonymous-auth` beside a file, so they are written into kagent's.
 * @throws {ComponentArgumentError}
 * @see Kubernetes v1.37 pkg/kubeapiserver/options/authentication.go, ToAuthenticationConfig: what the flags mean in a file
 */
export function authenticationOf(theirs: readonly Flag[]): Authentication {
  const oidc = theirs.filter(({ name }) => name.startsWith('oidc-'));
  const [first] = oidc;
  if (valueOf(theirs, 'authentication-config') !== undefined) {
    if (first === undefined) return { fileText: undefined, passed: theirs };
    const instead =
      'authentication-config names a file of yours, and kube-apiserver takes one of them; write the issuer there';
    throw new ComponentArgumentError(setting, `${first.name}=${first.value}`, instead);
  }
  const anonymous = theirs.findLast(({ name }) => name === 'anonymous-auth');
  const configuration = {
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'AuthenticationConfiguration',
    ...(first !== undefined && { jwt: [authenticator(oidc, first)] }),
    anonymous: anonymous === undefined ? healthAndVersion : { enabled: truthOf(setting, anonymous) },
  };
  return {
    fileText: `${JSON.stringify(configuration)}\n`,
    passed: theirs.filter((flag) => flag.name !== 'anonymous-auth' && !oidc.includes(flag)),
  };
}

/** Without credentials one may ask how the server is and which version it has, nothing else. */
const healthAndVersion = {
  enabled: true,
  conditions: ['/livez', '/readyz', '/healthz', '/version'].map((path) => ({ path })),
};

function authenticator(oidc: readonly Flag[], first: Flag) {
  const value = (name: string) => valueOf(oidc, `oidc-${name}`) ?? '';
  const [url, clientId] = [value('issuer-url'), value('client-id')];
  if (url === '' || clientId === '')
    throw new ComponentArgumentError(
      setting,
      `${first.name}=${first.value}`,
      'oidc-issuer-url and oidc-client-id are needed, both',
    );
  const claim = value('username-claim') || 'sub';
  const groupsClaim = value('groups-claim');
  const required = oidc.filter(({ name }) => name === 'oidc-required-claim');
  return {
    issuer: {
      url,
      audiences: [clientId],
      ...(value('ca-file') !== '' && { certificateAuthority: readCa(value('ca-file')) }),
    },
    claimMappings: {
      username: { claim, prefix: usernamePrefix(value('username-prefix'), { claim, url }) },
      ...(groupsClaim !== '' && { groups: { claim: groupsClaim, prefix: value('groups-prefix') } }),
    },
    ...(required.length > 0 && { claimValidationRules: required.map(requiredClaim) }),
  };
}

function usernamePrefix(prefix: string, { claim, url }: { readonly claim: string; readonly url: string }): string {
  if (prefix === '-') return '';
  return prefix === '' && claim !== 'email' ? `${url}#` : prefix;
}

function requiredClaim({ name, value }: Flag) {
  const at = value.indexOf('=');
  if (at < 1) throw new ComponentArgumentError(setting, `${name}=${value}`, 'it is claim=value');
  return { claim: value.slice(0, at).trim(), requiredValue: value.slice(at + 1).trim() };
}

function readCa(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new ComponentArgumentError(setting, `oidc-ca-file=${path}`, messageOf(error));
  }
}
