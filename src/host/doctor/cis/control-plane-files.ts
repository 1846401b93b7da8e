import { join } from 'node:path';
import { adminKubeconfig } from '../../../shared/paths.ts';
import { modeAtMost, ownedByRoot, stated } from './item.ts';
import type { CisHost, CisItem } from './item.ts';

const manager = 'kube-controller-manager';
const scheduler = 'kube-scheduler';

const noPod = (id: string, title: string): CisItem =>
  stated(
    id,
    title,
    'not applicable',
    'kagent runs it as a child of its own: there is no static Pod, and no file of one',
  );
const cniFiles = (host: CisHost) => host.filesBelow(join(host.paths.agent.etc, 'cni'), '.conflist', '.conf');
const datastore = ({ paths }: CisHost) => [paths.server.db];
const admin = () => [adminKubeconfig];
const credential =
  (name: string) =>
  ({ paths }: CisHost) => [join(paths.server.cred, `${name}.kubeconfig`)];
const pki =
  (...suffixes: readonly string[]) =>
  (host: CisHost) =>
    [host.paths.server.tls, host.paths.agent.pki].flatMap((dir) => host.filesBelow(dir, ...suffixes));

/** 1.1 */
export const controlPlaneFiles: readonly CisItem[] = [
  ...[
    ['1.1.1', 'kube-apiserver’s Pod file: mode'],
    ['1.1.2', 'kube-apiserver’s Pod file: owner'],
    ['1.1.3', 'kube-controller-manager’s Pod file: mode'],
    ['1.1.4', 'kube-controller-manager’s Pod file: owner'],
    ['1.1.5', 'kube-scheduler’s Pod file: mode'],
    ['1.1.6', 'kube-scheduler’s Pod file: owner'],
    ['1.1.7', 'etcd’s Pod file: mode'],
    ['1.1.8', 'etcd’s Pod file: owner'],
  ].map(([id = '', title = '']) => noPod(id, title)),
  modeAtMost(0o600, { id: '1.1.9', title: 'CNI files: mode 600', why: 'kagent writes them so' }, cniFiles),
  ownedByRoot({ id: '1.1.10', title: 'CNI files: root’s', why: 'kagent is root' }, cniFiles),
  modeAtMost(
    0o700,
    { id: '1.1.11', title: 'etcd’s folder: mode 700', why: 'the datastore’s folder is root’s alone' },
    datastore,
  ),
  stated(
    '1.1.12',
    'etcd’s folder: etcd’s',
    'not applicable',
    'the datastore is a part of kagent, without a user of its own',
  ),
  modeAtMost(
    0o600,
    {
      id: '1.1.13',
      title: 'administrator’s kubeconfig: mode 600',
      why: 'unless --write-kubeconfig-mode says otherwise',
    },
    admin,
  ),
  ownedByRoot({ id: '1.1.14', title: 'administrator’s kubeconfig: root’s', why: 'kagent is root' }, admin),
  modeAtMost(
    0o600,
    { id: '1.1.15', title: 'kube-scheduler’s kubeconfig: mode 600', why: 'kagent writes it so' },
    credential(scheduler),
  ),
  ownedByRoot(
    { id: '1.1.16', title: 'kube-scheduler’s kubeconfig: root’s', why: 'kagent is root' },
    credential(scheduler),
  ),
  modeAtMost(
    0o600,
    { id: '1.1.17', title: 'kube-controller-manager’s kubeconfig: mode 600', why: 'kagent writes it so' },
    credential(manager),
  ),
  ownedByRoot(
    { id: '1.1.18', title: 'kube-controller-manager’s kubeconfig: root’s', why: 'kagent is root' },
    credential(manager),
  ),
  ownedByRoot({ id: '1.1.19', title: 'PKI: root’s', why: 'kagent is root' }, pki('.crt', '.key')),
  modeAtMost(
    0o600,
    {
      id: '1.1.20',
      title: 'PKI certificates: mode 600',
      why: 'kagent writes them so, and those of an earlier one at its start',
    },
    pki('.crt'),
  ),
  modeAtMost(0o600, { id: '1.1.21', title: 'PKI keys: mode 600', why: 'kagent writes them so' }, pki('.key')),
];
