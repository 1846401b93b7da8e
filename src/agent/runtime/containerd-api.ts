/** The few calls of containerd and its CRI that concern images. */
import { readFields, readTextEntry } from '../../shared/protobuf/protobuf.ts';
import type { ProtoReader } from '../../shared/protobuf/protobuf.ts';
import type { Write } from '../../shared/grpc/grpc.ts';
import { repeatedCall, unaryCall } from './grpc.ts';

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

/** What it returns resolves once the CRI service answers: the kubelet gives up on one that does not. */
export function criPing(socketPath: string): (signal: AbortSignal) => Promise<void> {
  return repeatedCall({ socketPath, method: 'runtime.v1.RuntimeService/Version' });
}

const imagesService = 'containerd.services.images.v1.Images';

/** @see containerd v2.4 api/services/images/v1/images.proto */
export async function listImages(socketPath: string, signal: AbortSignal): Promise<readonly StoredImage[]> {
  const images: StoredImage[] = [];
  const read = (reply: ProtoReader) => readFields(reply, { 1: () => images.push(readImage(reply.message())) });
  await unaryCall({ socketPath, method: `${imagesService}/List`, headers }, read, signal);
  return images;
}

/** By the name that containerd has it by, which has its registry and its tag. */
export async function pinImage(socketPath: string, name: string, signal: AbortSignal): Promise<void> {
  const [key, value] = pinnedLabel;
  const write: Write = (request) => {
    request.message(1, () => {
      request.text(1, name);
      request.message(2, () => {
        request.text(1, key);
        request.text(2, value);
      });
      request.message(3, () => {}); // without any target containerd 2.4 ends
    });
    // The mask lets nothing but the label change.
    request.message(2, () => request.text(1, `labels.${key}`));
  };
  await unaryCall({ socketPath, method: `${imagesService}/Update`, headers, write }, () => {}, signal);
}

/** ImageSpec, which the CRI's requests begin with. */
const imageNamed =
  (name: string): Write =>
  (request) =>
    request.message(1, () => request.text(1, name));

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
  let tags: string[] | undefined;
  const readTags = (image: ProtoReader) => {
    const found: string[] = (tags ??= []);
    readFields(image, { 2: () => found.push(image.bytesView().toString()) });
  };
  const read = (reply: ProtoReader) => readFields(reply, { 1: () => readTags(reply.message()) });
  await unaryCall({ socketPath, method: 'runtime.v1.ImageService/ImageStatus', write: imageNamed(name) }, read, signal);
  return tags;
}

/** As the kubelet does for a pod without a secret of its own. */
export async function pullImage(socketPath: string, name: string, signal: AbortSignal): Promise<void> {
  await unaryCall(
    { socketPath, method: 'runtime.v1.ImageService/PullImage', write: imageNamed(name) },
    () => {},
    signal,
  );
}

export function readImage(image: ProtoReader): StoredImage {
  let [name, digest] = ['', ''];
  const labels: Record<string, string> = {};
  const readTarget = (target: ProtoReader) => readFields(target, { 2: () => (digest = target.bytesView().toString()) });
  const readLabel = ([key, value]: readonly [string, string]) => (labels[key] = value);
  readFields(image, {
    1: () => (name = image.bytesView().toString()),
    2: () => readLabel(readTextEntry(image.message())),
    3: () => readTarget(image.message()),
  });
  return { name, digest, labels };
}
