/** What a server knows of its nodes beside the API: who is connected, when each was heard last, what its agent said it is. */
import type { Clock } from '../../shared/clock.ts';
import { silenceMs } from '../../shared/protocol/channel.ts';
import type { Hello } from '../../shared/protocol/channel.ts';
import type { NodeSession } from './session.ts';

export class NodeRegistry {
  readonly #clock: Clock;
  readonly #sessions = new Map<string, NodeSession>();
  readonly #lastSeenMs = new Map<string, number>();
  readonly #hellos = new Map<string, Hello>();
  #startedAtMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedAtMs = clock.now();
  }

  /** The server has started: before that it could hear nobody. `recalled`: when each node was heard by the one before. */
  begin(recalled: Iterable<readonly [nodeName: string, ms: number]>): void {
    this.#startedAtMs = this.#clock.now();
    for (const [name, ms] of recalled) if (!this.#sessions.has(name)) this.#lastSeenMs.set(name, ms);
  }

  session(nodeName: string): NodeSession | undefined {
    return this.#sessions.get(nodeName);
  }

  sessions(): readonly NodeSession[] {
    return [...this.#sessions.values()];
  }

  hello(nodeName: string): Hello | undefined {
    return this.#hellos.get(nodeName);
  }

  /** @returns the one whose place it takes */
  add(session: NodeSession): NodeSession | undefined {
    const older = this.#sessions.get(session.nodeName);
    this.#sessions.set(session.nodeName, session);
    this.#hellos.set(session.nodeName, session.hello);
    this.heard(session.nodeName);
    return older;
  }

  /** @returns false for one whose place was taken before */
  remove(session: NodeSession): boolean {
    if (this.#sessions.get(session.nodeName) !== session) return false;
    this.#sessions.delete(session.nodeName);
    this.#lastSeenMs.set(session.nodeName, session.heardAtMs);
    return true;
  }

  heard(nodeName: string): void {
    this.#lastSeenMs.set(nodeName, this.#clock.now());
  }

  /** Milliseconds since 1970; undefined for a node that nobody remembers. */
  lastSeenMs(nodeName: string): number | undefined {
    return this.#sessions.get(nodeName)?.heardAtMs ?? this.#lastSeenMs.get(nodeName);
  }

  /**
   * When a node was heard last, as far as this server can know: not before its own start, so that agents have time to come
   * back to one that has just started. A session may outlive its machine for some seconds.
   */
  heardAtMs(nodeName: string): { readonly isConnected: boolean; readonly ms: number } {
    return {
      isConnected: this.#isAlive(this.#sessions.get(nodeName)),
      ms: Math.max(this.#lastSeenMs.get(nodeName) ?? 0, this.#startedAtMs),
    };
  }

  /** Whether another machine is connected with the identity of this node. */
  hasOther(nodeName: string, machineId: string): boolean {
    const known = this.#sessions.get(nodeName);
    return known !== undefined && known.hello.machineId !== machineId && this.#isAlive(known);
  }

  forget(nodeName: string): void {
    this.#hellos.delete(nodeName);
    this.#lastSeenMs.delete(nodeName);
  }

  #isAlive(session: NodeSession | undefined): boolean {
    return session !== undefined && this.#clock.now() - session.heardAtMs <= silenceMs / 2;
  }
}
