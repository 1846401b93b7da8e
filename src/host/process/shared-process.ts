/**
 * A process that several children share: each is a part of it that is started, watched and told of as if it were alone.
 *
 *   kube-node: kubelet ┐
 *         kube-proxy   ├─ one of them ends, or hangs ──▶ the process ends ──▶ all of them start again, in a new one
 *         flanneld     ┘
 *
 * A part that has ended its process twice within ten minutes is a process of its own from then on, so that what is wrong with
 * it does not go on to take the others along.
 */
import type { Clock } from '../../shared/clock.ts';
import { systemClock } from '../../shared/clock.ts';
import { SharedRun } from './shared-run.ts';
import type { Launched, Life, PartOf, ProcessSpec, SharedProcessSpec, SupervisorOptions } from './types.ts';

export type Part = Launched & { readonly partOf: PartOf };

const failuresKept = 2;
const withinMs = 10 * 60_000;

export class SharedProcess {
  readonly #shared: SharedProcessSpec;
  readonly #options: SupervisorOptions;
  readonly #clock: Clock;
  readonly #alone = new Set<string>();
  readonly #known = new Set<string>();
  readonly #failedAtMs = new Map<string, readonly number[]>();
  #run: SharedRun | undefined;
  #change = Promise.withResolvers<void>();

  constructor(shared: SharedProcessSpec, options: SupervisorOptions) {
    this.#shared = shared;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  isAlone(part: string): boolean {
    return this.#alone.has(part);
  }

  /** A life of the part, in the process as it is or in the next one. */
  async join(part: Part, signal: AbortSignal): Promise<Life> {
    this.#known.add(part.name);
    for (;;) {
      signal.throwIfAborted();
      if (this.#run?.hasHad(part.name) === true) void this.#run.restart(part); // nothing is started twice in one process
      if (this.#run?.isEnding !== true && this.#isReadyFor(part))
        return (this.#run ?? this.#spawn(part.spec)).start(part);
      await this.#changed(signal);
    }
  }

  /** Of a start all but these are ready already; when the process starts anew they are not. */
  #isReadyFor({ partOf: { after } }: Part): boolean {
    return after.every((name) => this.#alone.has(name) || !this.#known.has(name) || this.#run?.isReady(name) === true);
  }

  async #changed(signal: AbortSignal): Promise<void> {
    const aborted = Promise.withResolvers<void>();
    const abort = () => aborted.resolve();
    signal.addEventListener('abort', abort, { once: true });
    await Promise.race([this.#change.promise, aborted.promise]);
    signal.removeEventListener('abort', abort);
  }

  #tellChange(): void {
    const { resolve } = this.#change;
    this.#change = Promise.withResolvers<void>();
    resolve();
  }

  #spawn(spec: ProcessSpec): SharedRun {
    const { name, parts } = this.#shared;
    const { cgroupsFor, logs } = this.#options;
    const run = new SharedRun(executableOf(this.#shared, spec), cgroupsFor(name), {
      name,
      parts,
      file: logs.open(name),
      onChange: () => this.#tellChange(),
    });
    this.#run = run;
    void this.#follow(run);
    return run;
  }

  async #follow(run: SharedRun): Promise<void> {
    const { name } = this.#shared;
    try {
      const pid = await run.pid();
      this.#options.registry.add(name, pid);
      await run.over;
      this.#options.registry.remove(pid);
    } catch {
      return this.#forget(); // who starts a part is told
    }
    const { failed, outside } = await run.over;
    if (failed !== undefined) this.#noteFailure(failed);
    if (outside !== undefined) {
      const message = `${name} ended (${outside}); its parts start again`;
      this.#options.events.record({ type: 'Warning', reason: 'Ended', regarding: name, message });
      this.#options.log.warn('a process of several components ended', { component: name, ending: outside });
    }
    this.#forget();
  }

  #forget(): void {
    this.#run = undefined;
    this.#tellChange();
  }

  #noteFailure(part: string): void {
    const nowMs = this.#clock.monotonicMs();
    const lately = (this.#failedAtMs.get(part) ?? []).filter((ms) => nowMs - ms < withinMs);
    this.#failedAtMs.set(part, [...lately, nowMs]);
    if (lately.length + 1 < failuresKept) return;
    this.#alone.add(part);
    const message = `${part} has ended ${this.#shared.name} ${failuresKept} times in ten minutes: it is a process of its own until kagent starts again`;
    this.#options.events.record({ type: 'Warning', reason: 'Separated', regarding: part, message });
    this.#options.log.warn('a component is a process of its own from now on', { component: part });
  }
}

function executableOf({ name, parts }: SharedProcessSpec, spec: ProcessSpec): ProcessSpec {
  return { ...spec, command: spec.command.replace(/[^/]*$/, name), args: parts };
}
