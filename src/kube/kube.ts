/**
 * @module
 * The Kubernetes API as a client.
 * Knows: requests and their refusals, watches, events, what every object has, kubeconfigs.
 * Leaves to others: TLS and deadlines (shared/http), which objects and why (the rooms).
 * Spec: Kubernetes v1.37 API conventions.
 */
import { readText } from '../shared/files/files.ts';
import type { TlsCredentials } from '../shared/http/http.ts';

export { createKubeClient, isConflict, isNotFound, KubeError, unlessGone } from './client.ts';
export type { KubeClient, KubeClientOptions, WatchEvent } from './client.ts';
export { kubeEvent, uniqueName, wholeSeconds, writeEvent } from './event.ts';
export type { EventFacts } from './event.ts';
export { kubeconfigText } from './kubeconfig.ts';
export type { FileOrText, KubeconfigOptions } from './kubeconfig.ts';
export { Lease } from './lease.ts';
export type { LeaseOptions } from './lease.ts';
export { arrayOf, isJson, keyOf, objectKey } from './objects.ts';
export type { Json, KubeObject } from './objects.ts';
export { Reflector } from './reflector.ts';
export { WorkQueue } from './work-queue.ts';
export type { WorkQueueOptions } from './work-queue.ts';
export type { ObjectChange } from './reflector.ts';

/** Files in PEM: the only CA that is believed, and the pair of who asks. */
export interface CredentialFiles {
  readonly caPath: string;
  readonly certPath: string;
  readonly keyPath: string;
}

/** How a node asks for itself: with the kubelet's own credentials it may always look at itself. */
export interface NodeAccess extends CredentialFiles {
  readonly apiserverUrl: string;
  readonly nodeName: string;
}

export function readCredentials({ caPath, certPath, keyPath }: CredentialFiles): TlsCredentials {
  return { ca: readText(caPath), cert: readText(certPath), key: readText(keyPath) };
}
