import { randomUUID } from 'node:crypto';
import type { Clock } from '../../shared/clock.ts';
import type { Heartbeat, Command, FromAgent, FromServer, Hello } from '../../shared/protocol/channel.ts';
import { closeCodes, silenceMs } from '../../shared/protocol/channel.ts';
import { NodeCommandError, NodeNotConnectedError } from './errors.ts';

/** A websocket, as far as it is needed here. */
export interface NodeLink {
  /** The server's own address of the connection. */
  readonly reachedAt?: string;
  /** The address the connection comes from. */
  readonly seenAs?: string;
  send(message: FromServer): void;
  close(code: number, reason: string): void;
}

export interface SessionOptions {
  readonly nodeName: string;
  readonly link: NodeLink;
  readonly hello: Hello;
  /** Counts this node's connections. */
  readonly generation: number;
  /** Why the node does not have the address it says it has. */
  readonly addressProblem: string | undefined;
  readonly clock: Clock;
  /** The last one of the connection before. */
  readonly heartbeatBefore: Heartbeat | undefined;
  readonly onHeartbeat: (heartbeat: Heartbeat, before: Heartbeat | undefined) => void;
  readonly onOpenFailed: (id: string, reason: string) => void;
  /** Once, however it ends. */
  readonly onEnded: () => void;
}

interface CommandResult {
  readonly ok: boolean;
  /** What was asked for, or why not. */
  readonly text: string;
}

const commandWithinMs = 30_000;

/** One connection of one node, from its hello to its end. */
export class NodeSession {
  readonly nodeName: string;
  readonly hello: Hello;
  readonly generation: number;
  readonly sinceMs: number;
  /** The server's own address of the connection. */
  readonly reachedAt: string | undefined;
  /** Why the node does not have the address it says it has. */
  readonly addressProblem: string | undefined;
  heartbeat: Heartbeat | undefined;
  heardAtMs: number;
  readonly #options: SessionOptions;
  readonly #commands = new Map<string, (result: CommandResult) => void>();
  readonly #silence: NodeJS.Timeout;
  #isOpen = true;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.nodeName = options.nodeName;
    this.hello = options.hello;
    this.reachedAt = options.link.reachedAt;
    this.addressProblem = options.addressProblem;
    this.generation = options.generation;
    this.sinceMs = options.clock.now();
    this.heardAtMs = options.clock.now();
    this.#silence = setTimeout(() => this.close(closeCodes.silent, 'no heartbeat came in time'), silenceMs).unref();
  }

  handle(message: FromAgent): void {
    this.heardAtMs = this.#options.clock.now();
    this.#silence.refresh();
    switch (message.type) {
      case 'hello':
        return; // once is enough
      case 'beat':
        this.send({ type: 'ack', seq: message.seq, nowMs: this.heardAtMs });
        this.#options.onHeartbeat(message, this.heartbeat ?? this.#options.heartbeatBefore);
        this.heartbeat = message;
        return;
      case 'result':
        this.#commands.get(message.id)?.(message);
        return;
      case 'open-failed':
        this.#options.onOpenFailed(message.id, message.reason);
    }
  }

  send(message: FromServer): void {
    if (this.#isOpen) this.#options.link.send(message);
  }

  /** @returns what the node answers. @throws {NodeCommandError} it refuses, or says nothing. @throws {NodeNotConnectedError} */
  async command(command: Command): Promise<string> {
    if (!this.#isOpen) throw new NodeNotConnectedError(this.nodeName);
    const id = randomUUID();
    const { promise, resolve } = Promise.withResolvers<CommandResult>();
    const silence = { ok: false, text: `no answer within ${commandWithinMs / 1000} s` };
    const tooLong = setTimeout(() => resolve(silence), commandWithinMs);
    this.#commands.set(id, resolve);
    try {
      this.send({ type: 'command', id, command });
      const { ok, text } = await promise;
      if (!ok) throw new NodeCommandError(this.nodeName, text);
      return text;
    } finally {
      clearTimeout(tooLong);
      this.#commands.delete(id);
    }
  }

  close(code: number, reason: string): void {
    this.#options.link.close(code, reason);
    this.ended();
  }

  /** The websocket is gone, or is not waited for any more. */
  ended(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    clearTimeout(this.#silence);
    for (const answer of this.#commands.values()) answer({ ok: false, text: 'its connection was lost' });
    this.#options.onEnded();
  }
}
