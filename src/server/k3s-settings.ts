/** k3s's settings of a server that kagent does not have, and what to do instead. A wish that is fulfilled anyway is accepted. */
import { kinds } from '../shared/config/config.ts';

const { notHere } = kinds;
const oneServer = 'this kagent runs one server, with a datastore of its own; save it with kagent etcd-snapshot';
const s3 =
  'snapshots stay on this box, in etcd-snapshot-dir; copy the folder with a job of your own, or mount one there';
const encryption =
  "Secrets are stored as they are; kube-apiserver-arg 'encryption-provider-config=FILE' has them encrypted";
const always = 'kagent always runs it on a server';

export const k3sServerSettings = {
  server: notHere(`${oneServer}; for a node that joins, the command is kagent agent`),
  clusterInit: notHere(oneServer),
  clusterReset: notHere('to go back to a snapshot, use kagent datastore restore'),
  clusterResetRestorePath: notHere('to go back to a snapshot, use kagent datastore restore'),
  datastoreEndpoint: notHere(oneServer),
  datastoreCafile: notHere(oneServer),
  datastoreCertfile: notHere(oneServer),
  datastoreKeyfile: notHere(oneServer),
  kineTls: notHere(oneServer),
  etcdExposeMetrics: notHere('the datastore is no etcd; kagent datastore status shows its figures'),
  etcdSnapshotCompress: notHere('snapshots are stored as they are; compress them where you copy them to'),
  etcdSnapshotReconcileInterval: notHere('snapshots are files in etcd-snapshot-dir; there is nothing to keep in step'),
  etcdS3: notHere(s3),
  etcdS3Endpoint: notHere(s3),
  etcdS3EndpointCa: notHere(s3),
  etcdS3SkipSslVerify: notHere(s3),
  etcdS3AccessKey: notHere(s3),
  etcdS3SecretKey: notHere(s3),
  etcdS3SessionToken: notHere(s3),
  etcdS3Bucket: notHere(s3),
  etcdS3BucketLookupType: notHere(s3),
  etcdS3Region: notHere(s3),
  etcdS3Folder: notHere(s3),
  etcdS3Proxy: notHere(s3),
  etcdS3ConfigSecret: notHere(s3),
  etcdS3Insecure: notHere(s3),
  etcdS3Timeout: notHere(s3),
  etcdS3Retention: notHere(s3),
  advertisePort: notHere('kube-apiserver is reached at the port it listens on: https-listen-port'),
  tlsSanSecurity: notHere("the server's certificate has the names of this box and of tls-san, and never others", [
    'true',
  ]),
  secretsEncryption: notHere(encryption),
  secretsEncryptionProvider: notHere(encryption),
  flannelIpv6Masq: notHere('pods have IPv4 addresses'),
  flannelExternalIp: notHere(
    "flannel's traffic goes by flannel-iface; nodes behind NAT need a VPN, whose address is node-ip",
  ),
  egressSelectorMode: notHere('kube-apiserver always reaches nodes and pods through the tunnel', [
    'agent',
    'pod',
    'cluster',
  ]),
  servicelbNamespace: notHere('there are no pods of a load balancer'),
  helmJobImage: notHere('kagent brings no Helm controller'),
  defaultLocalStoragePath: notHere('kagent brings no local storage of its own'),
  kubeCloudControllerManagerArg: notHere('kagent runs no cloud controller'),
  disableScheduler: notHere(always),
  disableApiserver: notHere(always),
  disableControllerManager: notHere(always),
  disableEtcd: notHere(always),
  disableCloudController: notHere('kagent runs no cloud controller', ['true']),
  disableNetworkPolicy: notHere('kagent brings no controller of network policies', ['true']),
  disableHelmController: notHere('kagent brings no Helm controller', ['true']),
  supervisorMetrics: notHere('what the supervisor counts is shown by kagent status and kagent node ls'),
  noDeploy: notHere('its name is disable'),
  noFlannel: notHere('its name is flannel-backend none'),
  clusterSecret: notHere('its name is token'),
};
