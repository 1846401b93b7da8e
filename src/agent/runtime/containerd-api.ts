import { mapOf, textOf, valuesOf } from './protobuf.ts';
import { unaryCall } from './grpc.ts';

/** The namespace in which Kubernetes' containers and images are. */
export const kubernetesNamespace = 'k8s.io';

export interface StoredImage {
  readonly name: string;
  readonly digest: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Resolves once the CRI service answers: the kubelet gives up on one that does not. */
export async function pingCri(socketPath: string, signal: AbortSignal): Promise<void> {
  await unaryCall({ socketPath, method: 'runtime.v1.RuntimeService/Version' }, signal);
}

/** @see containerd v2.4 api/services/images/v1/images.proto */
export async function listImages(socketPath: string, signal: AbortSignal): Promise<readonly StoredImage[]> {
  const headers = { 'containerd-namespace': kubernetesNamespace };
  const answer = await unaryCall({ socketPath, method: 'containerd.services.images.v1.Images/List', headers }, signal);
  return valuesOf(answer, 1).map(decodeImage);
}

export function decodeImage(message: Uint8Array): StoredImage {
  const [name] = valuesOf(message, 1);
  const [target] = valuesOf(message, 3);
  const [digest] = target === undefined ? [] : valuesOf(target, 2);
  return { name: textOf(name), digest: textOf(digest), labels: mapOf(message, 2) };
}
