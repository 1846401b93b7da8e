import { join } from 'node:path';
import type { Component } from '../../shared/component/component.ts';
import { writeFileIfChanged } from '../../shared/files/files.ts';
import { strongCipherSuites } from '../../shared/tls-cipher-suites.ts';
import type { Flags } from './arguments.ts';
import { aggregatorUser } from './certificates.ts';
import type { ProgramOptions } from './control-plane.ts';
import { hardening } from './hardening.ts';
import { programComponent } from './program.ts';
import { answers, answersOk } from './readiness.ts';

export function apiserverComponent(options: ProgramOptions): Component {
  const { supervisor, binDir, after, extraArgs, securePort, pki, paths, egressSocket, isHardened = false } = options;
  const account = options.accounts['kube-apiserver'];
  const authenticationFile = join(paths.server.etc, 'authentication.json');
  writeFileIfChanged(authenticationFile, authentication, 0o600);
  const egressFile = join(paths.server.etc, 'egress.json');
  if (egressSocket !== undefined) writeFileIfChanged(egressFile, egressSelection(egressSocket), 0o600);
  return programComponent({
    name: 'kube-apiserver',
    after,
    supervisor,
    binDir,
    flags: {
      ...apiserverFlags(options, account.give(authenticationFile)),
      ...(egressSocket !== undefined && { 'egress-selector-config-file': account.give(egressFile) }),
      ...(isHardened && hardening(paths, account.give)),
    },
    extraArgs: extraArgs.apiserver,
    account,
    // Not ready before the RBAC hook is done; a controller manager that starts earlier exits.
    ready: answersOk(`https://127.0.0.1:${securePort}/readyz`, pki.serverCa.caPem),
    live: answers(`https://127.0.0.1:${securePort}/readyz`, pki.serverCa.caPem),
    // Requests in flight end in a moment; then it would only wait for pods to close their watches.
    stopTimeoutMs: 1500,
  });
}

/** Without credentials one may ask how the server is and which version it has, nothing else. */
const authentication = `${JSON.stringify({
  apiVersion: 'apiserver.config.k8s.io/v1',
  kind: 'AuthenticationConfiguration',
  anonymous: {
    enabled: true,
    conditions: ['/livez', '/readyz', '/healthz', '/version'].map((path) => ({ path })),
  },
})}\n`;

/** What tells kube-apiserver to go through the tunnel wherever it speaks to nodes, pods and Services. */
function egressSelection(socketPath: string): string {
  return `${JSON.stringify({
    apiVersion: 'apiserver.k8s.io/v1beta1',
    kind: 'EgressSelectorConfiguration',
    egressSelections: [
      {
        name: 'cluster',
        connection: { proxyProtocol: 'HTTPConnect', transport: { uds: { udsName: socketPath } } },
      },
    ],
  })}\n`;
}

/** What an operator sets in its place cannot stand beside the file. */
function authorizationFlags({ extraArgs, authorization }: ProgramOptions): Flags {
  const isTheirs = extraArgs.apiserver.some((flag) => /^-*authorization-/.test(flag));
  if (isTheirs) return { 'authorization-mode': 'Node,RBAC' };
  return { 'authorization-config': authorization.configFile };
}

function apiserverFlags(options: ProgramOptions, authenticationFile: string): Flags {
  const { pki, leaves, etcdServers, bindAddress, securePort, advertiseAddress, clusterDomain } = options;
  const { give } = options.accounts['kube-apiserver'];
  return {
    'advertise-address': advertiseAddress,
    'bind-address': bindAddress,
    'secure-port': String(securePort),
    'etcd-servers': etcdServers,
    'etcd-db-metric-poll-interval': '0', // `kagent datastore status` knows better

    'tls-cert-file': give(leaves.apiserver.certFile),
    'tls-private-key-file': give(leaves.apiserver.keyFile),
    'tls-min-version': 'VersionTLS12',
    'tls-cipher-suites': strongCipherSuites.join(','),
    'client-ca-file': give(pki.clientCa.certFile),
    'authentication-config': authenticationFile,
    ...authorizationFlags(options),
    'enable-admission-plugins': 'NodeRestriction',
    'allow-privileged': 'true',
    profiling: 'false',

    'kubelet-certificate-authority': give(pki.kubeletCa.certFile),
    'kubelet-client-certificate': give(leaves.kubeletClient.certFile),
    'kubelet-client-key': give(leaves.kubeletClient.keyFile),
    // Addresses first: a node's name need not resolve, and before it proxies to a node kube-apiserver looks its name up. Which
    // node has an address the tunnel knows.
    'kubelet-preferred-address-types': 'InternalIP,ExternalIP,InternalDNS,ExternalDNS,Hostname',

    'service-account-issuer': `https://kubernetes.default.svc.${clusterDomain}`,
    'service-account-key-file': give(pki.serviceAccountKeyFile),
    'service-account-signing-key-file': give(pki.serviceAccountKeyFile),
    'service-cluster-ip-range': options.serviceCidr,
    'service-node-port-range': options.serviceNodePortRange,

    'requestheader-client-ca-file': give(pki.requestHeaderCa.certFile),
    'requestheader-allowed-names': aggregatorUser,
    'requestheader-extra-headers-prefix': 'X-Remote-Extra-',
    'requestheader-group-headers': 'X-Remote-Group',
    'requestheader-username-headers': 'X-Remote-User',
    'proxy-client-cert-file': give(leaves.aggregatorClient.certFile),
    'proxy-client-key-file': give(leaves.aggregatorClient.keyFile),
    // Webhooks and aggregated APIs are reached at their pods: no kube-proxy is needed on this host for that.
    'enable-aggregator-routing': 'true',

    // One server: nobody asks who else is there. Both would write to the datastore every ten seconds.
    'endpoint-reconciler-type': 'master-count',
    'feature-gates': 'APIServerIdentity=false,UnknownVersionInteroperabilityProxy=false',
  };
}
