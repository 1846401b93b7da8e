import { bytesFields } from './protobuf.ts';
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
  const labels = valuesOf(message, 2).map((entry) => [text(valuesOf(entry, 1)[0]), text(valuesOf(entry, 2)[0])]);
  return { name: text(name), digest: text(digest), labels: Object.fromEntries(labels) as Record<string, string> };
}

function valuesOf(message: Uint8Array, wanted: number): readonly Uint8Array[] {
  return [...bytesFields(message)].flatMap(([field, value]) => (field === wanted ? [value] : []));
}

function text(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString('utf8');
}
