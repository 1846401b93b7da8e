/** k3s's settings of a server that kagent does not have, and what to do instead. A wish that is fulfilled anyway is accepted. */
import { kinds } from '../shared/config/config.ts';

const { unsupported } = kinds;
const s3 =
  'snapshots stay on this box, in etcd-snapshot-dir; copy the folder with a job of your own, or mount one there';
const encryption =
  "Secrets are stored as they are; kube-apiserver-arg 'encryption-provider-config=FILE' has them encrypted";
const always = 'kagent always runs it on a server';

export const k3sServerSettings = {
  kineTls: unsupported('kine listens on a unix socket, which only root and kube-apiserver can open'),
  etcdExposeMetrics: unsupported('the datastore is no etcd; kagent datastore status shows its figures'),
  etcdSnapshotCompress: unsupported('snapshots are stored as they are; compress them where you copy them to'),
  etcdSnapshotReconcileInterval: unsupported(
    'snapshots are files in etcd-snapshot-dir; there is nothing to keep in step',
  ),
  etcdS3: unsupported(s3),
  etcdS3Endpoint: unsupported(s3),
  etcdS3EndpointCa: unsupported(s3),
  etcdS3SkipSslVerify: unsupported(s3),
  etcdS3AccessKey: unsupported(s3),
  etcdS3SecretKey: unsupported(s3),
  etcdS3SessionToken: unsupported(s3),
  etcdS3Bucket: unsupported(s3),
  etcdS3BucketLookupType: unsupported(s3),
  etcdS3Region: unsupported(s3),
  etcdS3Folder: unsupported(s3),
  etcdS3Proxy: unsupported(s3),
  etcdS3ConfigSecret: unsupported(s3),
  etcdS3Insecure: unsupported(s3),
  etcdS3Timeout: unsupported(s3),
  etcdS3Retention: unsupported(s3),
  advertisePort: unsupported('kube-apiserver is reached at the port it listens on: https-listen-port'),
  tlsSanSecurity: unsupported("the server's certificate has the names of this box and of tls-san, and never others", [
    'true',
  ]),
  secretsEncryption: unsupported(encryption),
  secretsEncryptionProvider: unsupported(encryption),
  flannelIpv6Masq: unsupported('pods have IPv4 addresses'),
  flannelExternalIp: unsupported(
    "flannel's traffic goes by flannel-iface; nodes behind NAT need a VPN, whose address is node-ip",
  ),
  egressSelectorMode: unsupported('kube-apiserver always reaches nodes and pods through the tunnel', [
    'agent',
    'pod',
    'cluster',
  ]),
  servicelbNamespace: unsupported('there are no pods of a load balancer'),
  helmJobImage: unsupported('charts are installed without a job and without an image'),
  kubeCloudControllerManagerArg: unsupported('kagent runs no cloud controller'),
  disableScheduler: unsupported(always),
  disableApiserver: unsupported(always),
  disableControllerManager: unsupported(always),
  disableEtcd: unsupported(always),
  disableCloudController: unsupported('kagent runs no cloud controller', ['true']),
  supervisorMetrics: unsupported('what the supervisor counts is shown by kagent status and kagent node ls'),
  noDeploy: unsupported('its name is disable'),
  noFlannel: unsupported('its name is flannel-backend none'),
  clusterSecret: unsupported('its name is token'),
};
