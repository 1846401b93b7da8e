import { join } from 'node:path';
import type { Flags } from '../../shared/arguments/arguments.ts';
import { writeFileIfChanged } from '../../shared/files/files.ts';
import type { Paths } from '../../shared/paths.ts';
import type { Account } from './account.ts';

/** What kube-apiserver was asked; the folder is its own. */
export function auditDir(dataDir: string): string {
  return join(dataDir, 'audit');
}

/** Of kube-apiserver with `--profile cis`: it writes an audit log, and holds new Pods to the restricted standard. */
export function hardening({ server, dataDir }: Pick<Paths, 'server' | 'dataDir'>, give: Account['give']): Flags {
  const auditPolicyFile = join(server.etc, 'audit-policy.json');
  const admissionFile = join(server.etc, 'admission.json');
  writeFileIfChanged(auditPolicyFile, `${JSON.stringify(auditPolicy)}\n`, 0o600);
  writeFileIfChanged(admissionFile, `${JSON.stringify(admission)}\n`, 0o600);
  return {
    'audit-policy-file': give(auditPolicyFile),
    'audit-log-path': join(auditDir(dataDir), 'audit.log'),
    'audit-log-maxage': '30', // days
    'audit-log-maxbackup': '10',
    'audit-log-maxsize': '100', // MiB
    'admission-control-config-file': give(admissionFile),
    'enable-admission-plugins': 'NodeRestriction,DenyServiceExternalIPs',
    'service-account-extend-token-expiration': 'false',
  };
}

/** Leases and probes are most of all requests, and say nothing; of Secrets nobody may find the content in a log. */
const auditPolicy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [
    {
      level: 'Metadata',
      resources: [
        {
          group: '',
          resources: ['secrets', 'configmaps', 'serviceaccounts/token', 'pods/exec', 'pods/attach', 'pods/portforward'],
        },
        { group: 'authentication.k8s.io', resources: ['tokenreviews'] },
      ],
    },
    { level: 'None', nonResourceURLs: ['/healthz*', '/livez*', '/readyz*', '/version', '/openapi/*', '/metrics'] },
    {
      level: 'None',
      verbs: ['get', 'update', 'patch'],
      resources: [{ group: 'coordination.k8s.io', resources: ['leases'] }],
    },
    {
      level: 'None',
      resources: [
        { group: '', resources: ['events'] },
        { group: 'events.k8s.io', resources: ['events'] },
      ],
    },
    { level: 'None', verbs: ['watch'] },
    { level: 'Metadata' },
  ],
};

/** What runs in kube-system is the cluster's own, and needs more. */
const admission = {
  apiVersion: 'apiserver.config.k8s.io/v1',
  kind: 'AdmissionConfiguration',
  plugins: [
    {
      name: 'PodSecurity',
      configuration: {
        apiVersion: 'pod-security.admission.config.k8s.io/v1',
        kind: 'PodSecurityConfiguration',
        defaults: {
          enforce: 'restricted',
          'enforce-version': 'latest',
          audit: 'restricted',
          'audit-version': 'latest',
          warn: 'restricted',
          'warn-version': 'latest',
        },
        exemptions: { usernames: [], runtimeClasses: [], namespaces: ['kube-system'] },
      },
    },
  ],
};
