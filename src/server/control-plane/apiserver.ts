import { join } from 'node:path';
import { checkArguments, flagsOf, valueOf } from '../../shared/arguments/arguments.ts';
import type { Flag, Flags } from '../../shared/arguments/arguments.ts';
import type { Component } from '../../shared/component/component.ts';
import { parseDuration } from '../../shared/duration.ts';
import { readText, writeFileIfChanged } from '../../shared/files/files.ts';
import { strongCipherSuites } from '../../shared/tls-cipher-suites.ts';
import { argumentRules } from './argument-rules.ts';
import { authenticationOf } from './authentication.ts';
import { giveDatastoreFiles } from './datastore-files.ts';
import { aggregatorUser } from './certificates.ts';
import type { ProgramOptions } from './types.ts';
import { hardening } from './hardening.ts';
import { programComponent } from './program.ts';

const name = 'kube-apiserver';
const rules = argumentRules[name];

/** @throws {ComponentArgumentError} */
export function apiserverComponent(options: ProgramOptions): Component {
  const { supervisor, binDir, after, leaves, pki, paths, egressSocket, isHardened = false } = options;
  const account = options.accounts[name];
  const egressFile = join(paths.server.etc, 'egress.json');
  if (egressSocket !== undefined) writeFileIfChanged(egressFile, egressSelection(egressSocket), 0o600);
  const theirs = flagsOf(options.extraArgs.apiserver);
  const authentication = authenticationOf(theirs);
  const flags = {
    ...apiserverFlags(options, theirs),
    ...authenticationFlags(options, authentication.fileText),
    ...(egressSocket !== undefined && { 'egress-selector-config-file': account.give(egressFile) }),
    ...(isHardened && hardening(paths, account.give)),
  };
  checkArguments({ setting: 'kube-apiserver-arg', args: options.extraArgs.apiserver, rules, ours: flags });
  return programComponent({
    name,
    after,
    supervisor,
    binDir,
    flags: withoutDisabled(flags, theirs),
    theirs: authentication.passed,
    rules,
    direct: options.direct,
    account,
    // Not ready before the RBAC hook is done; a controller manager that starts earlier exits. Asked as somebody, since the
    // operator may let nobody ask without credentials.
    question: () => ({
      url: `${options.localUrl}/readyz`,
      ca: () => pki.serverCa.trust.pem,
      client: () => ({ cert: readText(leaves.kagent.certFile), key: readText(leaves.kagent.keyFile) }),
    }),
    stopTimeoutMs: apiserverStopTimeoutMs(options),
  });
}

/** Requests in flight end in a moment; then it would only wait for pods to close their watches. */
export function apiserverStopTimeoutMs({ extraArgs }: Pick<ProgramOptions, 'extraArgs'>): number {
  return 1500 + askedToStopLaterMs(flagsOf(extraArgs.apiserver));
}

function authenticationFlags({ paths, accounts }: ProgramOptions, fileText: string | undefined): Flags {
  if (fileText === undefined) return {};
  const file = join(paths.server.etc, 'authentication.json');
  writeFileIfChanged(file, fileText, 0o600);
  return { 'authentication-config': accounts[name].give(file) };
}

/** A plugin that is both enabled and disabled would end kube-apiserver. */
function withoutDisabled(flags: Flags, theirs: readonly Flag[]): Flags {
  const disabled = theirs
    .filter((flag) => flag.name === 'disable-admission-plugins')
    .flatMap(({ value }) => value.split(','));
  const { 'enable-admission-plugins': enabled = '', ...others } = flags;
  const left = enabled.split(',').filter((plugin) => !disabled.includes(plugin));
  return left.length === 0 ? others : { ...flags, 'enable-admission-plugins': left.join(',') };
}

/** How long the operator wants it to serve on, for load balancers, and to let watches end. */
function askedToStopLaterMs(theirs: readonly Flag[]): number {
  const asked = ['shutdown-delay-duration', 'shutdown-watch-termination-grace-period'];
  return asked.map((one) => parseDuration(valueOf(theirs, one) ?? '') ?? 0).reduce((sum, ms) => sum + ms, 0);
}

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

/** What an operator sets in its place cannot stand beside the file, nor a mode beside a file of the operator's. */
function authorizationFlags({ authorization }: ProgramOptions, theirs: readonly Flag[]): Flags {
  if (valueOf(theirs, 'authorization-config') !== undefined) return {};
  if (theirs.some((flag) => flag.name.startsWith('authorization-'))) return { 'authorization-mode': 'Node,RBAC' };
  return { 'authorization-config': authorization.configFile };
}

function etcdFlags({ etcd, accounts }: ProgramOptions): Flags {
  const given = giveDatastoreFiles(accounts[name], etcd.files);
  return {
    'etcd-servers': etcd.servers.join(','),
    ...Object.fromEntries(Object.entries(given).map(([kind, path]) => [`etcd-${kind}file`, path])),
  };
}

function apiserverFlags(options: ProgramOptions, theirs: readonly Flag[]): Flags {
  const { pki, leaves, bindAddress, securePort, advertiseAddress, clusterDomain } = options;
  const { give } = options.accounts[name];
  return {
    'advertise-address': advertiseAddress,
    'bind-address': bindAddress,
    'secure-port': String(securePort),
    ...etcdFlags(options),
    'etcd-db-metric-poll-interval': '0', // `kagent datastore status` knows better

    'tls-cert-file': give(leaves.apiserver.certFile),
    'tls-private-key-file': give(leaves.apiserver.keyFile),
    'tls-min-version': 'VersionTLS12',
    'tls-cipher-suites': strongCipherSuites.join(','),
    'client-ca-file': give(pki.clientCa.certFile),
    ...authorizationFlags(options, theirs),
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
    ...options.programFlags.apiserver,
  };
}
