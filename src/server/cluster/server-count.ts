/** What Kubernetes' programs are told because of the number of servers that the cluster has, or may have. */
import type { Flags } from '../../shared/arguments/arguments.ts';

export type ProgramFlags = Readonly<Record<'apiserver' | 'controllerManager' | 'scheduler', Flags>>;

/** Leases and records would be written to the datastore every few seconds, and read by nobody. */
export const forOneServer: ProgramFlags = {
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
};

/** One controller manager and one scheduler lead; the Service `kubernetes` leads to every API server that has spoken lately. */
export const forSeveralServers: ProgramFlags = {
  apiserver: { 'endpoint-reconciler-type': 'lease' },
  controllerManager: { 'leader-elect': 'true', controllers: '*' },
  scheduler: { 'leader-elect': 'true' },
};
