import type { ComponentName } from './names.ts';

/** Kubernetes' Condition: `Unknown` until the first check, `reason` in CamelCase. */
export interface Condition {
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string; // RFC 3339
  /** The next step, with which the message ends. Not Kubernetes': no condition of a Node has one. */
  readonly remedy?: string | undefined;
}

/** Of kagent's own; a test has names of its own. */
export interface Component<Name extends string = ComponentName> {
  readonly name: Name; // upstream's own: 'kube-apiserver'
  readonly after: readonly Name[]; // names that are ready first
  /** Resolves when ready. `signal` cancels this start-up; ending a life is `stop()`. */
  start(signal: AbortSignal): Promise<void>;
  /** Legal in every state, and twice; resolves when nothing of it is left. */
  stop(): Promise<void>;
  health(): Condition; // the last known answer, at once; stamped when it changed, never when it is asked
}

export interface ComponentManager<Name extends string = ComponentName> {
  /** Each as soon as those it is `after` are ready; a failure stops those already up, then rejects with it. */
  start(signal: AbortSignal): Promise<void>;
  /** In reverse: each when nothing that is `after` it is left. */
  stop(): Promise<void>;
  /** One component that has started: ends it and starts it again; what is after it stays as it is. */
  restart(name: Name): Promise<void>;
  /** Of one that is not up yet: what it waits for, and since when. */
  conditions(): ReadonlyMap<string, Condition>;
  /** In the order of the components. */
  notReady(): readonly NotReady[];
}

/** A component that people should hear of. */
export interface NotReady {
  readonly name: string;
  readonly condition: Condition;
  /** Whether it was ready once. */
  readonly wasReady: boolean;
}
