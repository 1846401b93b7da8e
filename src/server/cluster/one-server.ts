/**
 * What Kubernetes' programs are told because the cluster has one server. With a second one each of these is another value:
 * leases by which one controller manager and one scheduler lead, and a record in the datastore of which API servers there are.
 */
export const ofOneServer = {
  apiserver: {
    // Nobody asks who else is there. Both would write to the datastore every ten seconds.
    'endpoint-reconciler-type': 'master-count',
    'feature-gates': 'APIServerIdentity=false,UnknownVersionInteroperabilityProxy=false',
  },
  controllerManager: {
    'leader-elect': 'false', // a lease would be written every two seconds
    // The other end of it is kube-apiserver's identity, which is off.
    controllers: '*,-storageversion-garbage-collector-controller',
  },
  scheduler: { 'leader-elect': 'false' },
} as const;
