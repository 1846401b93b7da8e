import { bytesField, mapOf, textOf, valuesOf } from './protobuf.ts';
import { unaryCall } from './grpc.ts';

/** The namespace in which Kubernetes' containers and images are. */
export const kubernetesNamespace = 'k8s.io';
/** The kubelet's image collection leaves images alone that have it. */
export const pinnedLabel = ['io.cri-containerd.pinned', 'pinned'] as const;

const headers = { 'containerd-namespace': kubernetesNamespace };

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
  const answer = await unaryCall({ socketPath, method: 'containerd.services.images.v1.Images/List', headers }, signal);
  return valuesOf(answer, 1).map(decodeImage);
}

/** By the name that containerd has it by, which has its registry and its tag. */
export async function pinImage(socketPath: string, name: string, signal: AbortSignal): Promise<void> {
  const [key, value] = pinnedLabel;
  const label = bytesField(2, Buffer.concat([bytesField(1, key), bytesField(2, value)]));
  // The mask lets nothing but the label change; without any target containerd 2.4 ends.
  const image = bytesField(1, Buffer.concat([bytesField(1, name), label, bytesField(3, '')]));
  const mask = bytesField(2, bytesField(1, `labels.${key}`));
  const method = 'containerd.services.images.v1.Images/Update';
  await unaryCall({ socketPath, method, headers, message: Buffer.concat([image, mask]) }, signal);
}

/**
 * @param name as in a pod: `busybox`
 * @returns containerd's names of it, or undefined if it is not there
 * @see k8s.io/cri-api v0.37.1 runtime/v1 api.proto
 */
export async function tagsOf(
  socketPath: string,
  name: string,
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  const message = bytesField(1, bytesField(1, name));
  const answer = await unaryCall({ socketPath, method: 'runtime.v1.ImageService/ImageStatus', message }, signal);
  const [image] = valuesOf(answer, 1);
  return image === undefined ? undefined : valuesOf(image, 2).map(textOf);
}

/** As the kubelet does for a pod without a secret of its own. */
export async function pullImage(socketPath: string, name: string, signal: AbortSignal): Promise<void> {
  const message = bytesField(1, bytesField(1, name));
  await unaryCall({ socketPath, method: 'runtime.v1.ImageService/PullImage', message }, signal);
}

export function decodeImage(message: Uint8Array): StoredImage {
  const [name] = valuesOf(message, 1);
  const [target] = valuesOf(message, 3);
  const [digest] = target === undefined ? [] : valuesOf(target, 2);
  return { name: textOf(name), digest: textOf(digest), labels: mapOf(message, 2) };
}
