/** The few calls of the CRI that ending pods without the kubelet needs. @see k8s.io/cri-api v0.37.1 runtime/v1 api.proto */
import type { Write } from '../../shared/grpc/grpc.ts';
import { readFields, readTextEntry } from '../../shared/protobuf/protobuf.ts';
import type { ProtoReader } from '../../shared/protobuf/protobuf.ts';
import { unaryCall } from './grpc.ts';

export interface RunningContainer {
  readonly id: string;
  readonly namespace: string;
  /** What the pod asks for. */
  readonly graceSeconds: number;
  /** The command of its preStop hook, if that is a command. */
  readonly preStop: readonly string[];
}

export interface Cri {
  runningContainers(): Promise<readonly RunningContainer[]>;
  /** Resolves with the end of the command. */
  execSync(containerId: string, command: readonly string[], timeoutSeconds: number): Promise<void>;
  /** SIGTERM, or what its image asks for; SIGKILL after the time given. */
  stopContainer(containerId: string, graceSeconds: number): Promise<void>;
  readySandboxes(): Promise<readonly string[]>;
  /** Ends the pod's own container and takes its network away. */
  stopSandbox(sandboxId: string): Promise<void>;
}

export function criAt(socketPath: string, signal: AbortSignal): Cri {
  const call = (name: string, write: Write) =>
    unaryCall({ socketPath, method: `runtime.v1.RuntimeService/${name}`, write }, () => {}, signal);
  /** With a filter by state. @returns what `read` makes of each item */
  const list = async <T>(name: string, state: number, read: (item: ProtoReader) => T): Promise<readonly T[]> => {
    const items: T[] = [];
    const write: Write = (request) => request.message(1, () => request.message(2, () => request.int(1, state)));
    const readAll = (reply: ProtoReader) => readFields(reply, { 1: () => items.push(read(reply.message())) });
    await unaryCall({ socketPath, method: `runtime.v1.RuntimeService/${name}`, write }, readAll, signal);
    return items;
  };
  return {
    runningContainers: () => list('ListContainers', containerRunning, readContainer),
    execSync: (id, command, timeoutSeconds) =>
      call('ExecSync', (request) => {
        request.text(1, id);
        for (const word of command) request.record(2, Buffer.from(word));
        request.int(3, timeoutSeconds);
      }),
    stopContainer: (id, graceSeconds) =>
      call('StopContainer', (request) => {
        request.text(1, id);
        request.int(2, graceSeconds);
      }),
    readySandboxes: () => list('ListPodSandbox', sandboxReady, readId),
    stopSandbox: (id) => call('StopPodSandbox', (request) => request.text(1, id)),
  };
}

const containerRunning = 1;
const sandboxReady = 0;
const defaultGraceSeconds = 30;

function readId(sandbox: ProtoReader): string {
  let id = '';
  readFields(sandbox, { 1: () => (id = sandbox.bytesView().toString()) });
  return id;
}

/** The labels and annotations are the kubelet's. @see k8s.io/kubernetes v1.37.1 pkg/kubelet/kuberuntime/labels.go */
export function readContainer(container: ProtoReader): RunningContainer {
  let id = '';
  const [labels, annotations] = [new Map<string, string>(), new Map<string, string>()];
  readFields(container, {
    1: () => (id = container.bytesView().toString()),
    8: () => labels.set(...readTextEntry(container.message())),
    9: () => annotations.set(...readTextEntry(container.message())),
  });
  return {
    id,
    namespace: labels.get('io.kubernetes.pod.namespace') ?? '',
    graceSeconds: Number(annotations.get('io.kubernetes.pod.terminationGracePeriod') ?? defaultGraceSeconds),
    preStop: commandOf(annotations.get('io.kubernetes.container.preStopHandler')),
  };
}

function commandOf(handler: string | undefined): readonly string[] {
  if (handler === undefined) return [];
  return (JSON.parse(handler) as { readonly exec?: { readonly command?: readonly string[] } }).exec?.command ?? [];
}
