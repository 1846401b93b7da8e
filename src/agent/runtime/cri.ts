/** The few calls of the CRI that ending pods without the kubelet needs. @see k8s.io/cri-api v0.37.1 runtime/v1 api.proto */
import { unaryCall } from './grpc.ts';
import { bytesField, mapOf, numberField, textOf, valuesOf } from './protobuf.ts';

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
  const call = (name: string, ...fields: readonly Uint8Array[]) => {
    const message = Buffer.concat(fields);
    return unaryCall({ socketPath, method: `runtime.v1.RuntimeService/${name}`, message }, signal);
  };
  const running = bytesField(2, numberField(1, 1)); // a filter by state: CONTAINER_RUNNING
  const ready = bytesField(2, ''); // SANDBOX_READY is zero
  return {
    runningContainers: async () =>
      valuesOf(await call('ListContainers', bytesField(1, running)), 1).map(decodeContainer),
    async execSync(id, command, timeoutSeconds) {
      const words = command.map((word) => bytesField(2, word));
      await call('ExecSync', bytesField(1, id), ...words, numberField(3, timeoutSeconds));
    },
    async stopContainer(id, graceSeconds) {
      await call('StopContainer', bytesField(1, id), numberField(2, graceSeconds));
    },
    readySandboxes: async () =>
      valuesOf(await call('ListPodSandbox', bytesField(1, ready)), 1).map((sandbox) => textOf(valuesOf(sandbox, 1)[0])),
    async stopSandbox(id) {
      await call('StopPodSandbox', bytesField(1, id));
    },
  };
}

const defaultGraceSeconds = 30;

/** The labels and annotations are the kubelet's. @see k8s.io/kubernetes v1.37.1 pkg/kubelet/kuberuntime/labels.go */
export function decodeContainer(message: Uint8Array): RunningContainer {
  const [labels, annotations] = [mapOf(message, 8), mapOf(message, 9)];
  return {
    id: textOf(valuesOf(message, 1)[0]),
    namespace: labels['io.kubernetes.pod.namespace'] ?? '',
    graceSeconds: Number(annotations['io.kubernetes.pod.terminationGracePeriod'] ?? defaultGraceSeconds),
    preStop: commandOf(annotations['io.kubernetes.container.preStopHandler']),
  };
}

function commandOf(handler: string | undefined): readonly string[] {
  if (handler === undefined) return [];
  return (JSON.parse(handler) as { readonly exec?: { readonly command?: readonly string[] } }).exec?.command ?? [];
}
