import { setTimeout as delay } from 'node:timers/promises';
import type { ChildLog } from './child-log.ts';
import { spawnChild } from './spawn.ts';
import type { Child } from './spawn.ts';
import type { Blame, Ending, Launched, Life, ProcessSpec } from './types.ts';

interface Member {
  readonly part: Launched;
  readonly ended: PromiseWithResolvers<Ending>;
  isReady: boolean;
  /** It was told to stop, or need not run any more. */
  isStopped: boolean;
  isOver: boolean;
}

interface Blamed extends Blame {
  readonly name: string;
  /** The part has ended the process by itself. */
  readonly isFailure: boolean;
}

export interface Over {
  /** The part that has ended the process by itself. */
  readonly failed: string | undefined;
  /** How it ended, where no part has done it, and nobody here. */
  readonly outside: string | undefined;
}

/** What the program reports, a line each. @see components/kubernetes/group/group.go */
interface Report {
  readonly part: string;
  readonly stopped?: boolean;
  readonly failed?: string;
}

export interface SharedRunOptions {
  /** Of the process. */
  readonly name: string;
  readonly parts: readonly string[];
  /** Of what is no part's line. */
  readonly file: ChildLog;
  /** A part is ready, or the process is about to end. */
  readonly onChange: () => void;
}

/** After the process has ended, its last words may still have to be read. */
const lastWordsMs = 500;
/** From a complaint to the exit that it announces, and to both being read on a busy host. */
const complainedMs = 2000;

/** One run of a process that several children share. */
export class SharedRun {
  readonly over: Promise<Over>;
  readonly #options: SharedRunOptions;
  readonly #child: Promise<Child>;
  readonly #members = new Map<string, Member>();
  #lastLine: string | undefined;
  #crash: string | undefined;
  #lastError: { readonly by: string; readonly atMs: number } | undefined;
  #blamed: Blamed | undefined;
  #isOver = false;

  /** @param spec of the process itself */
  constructor(spec: ProcessSpec, cgroups: readonly string[], options: SharedRunOptions) {
    this.#options = options;
    this.#child = spawnChild(spec, {
      cgroups,
      wantsInput: true,
      onLine: (line) => this.#hearLine(line),
      onPipeLine: [
        (line) => this.#hearReport(line),
        ...options.parts.map((part) => (line: string) => this.#hearPart(part, line)),
      ],
    });
    this.over = this.#untilOver();
    this.over.catch(() => {}); // it could not be started, as who starts a part is told
  }

  /** No part can start in it any more. */
  get isEnding(): boolean {
    return this.#isOver || this.#blamed !== undefined;
  }

  hasHad(part: string): boolean {
    return this.#members.has(part);
  }

  isReady(part: string): boolean {
    return this.#members.get(part)?.isReady === true;
  }

  /** @throws Node's system error if the process could not be started */
  async pid(): Promise<number> {
    return (await this.#child).pid;
  }

  async start(part: Launched): Promise<Life> {
    const { name } = part;
    const member = { part, ended: Promise.withResolvers<Ending>(), isReady: false, isStopped: false, isOver: false };
    this.#members.set(name, member);
    const child = await this.#child;
    this.#tell(child, { start: name, args: part.spec.args });
    return {
      pid: child.pid,
      ended: member.ended.promise,
      signal: (signal) => this.#signal(child, member, signal),
      stop: () => this.#stop(child, member),
      tellReady: () => {
        member.isReady = true;
        this.#options.onChange();
      },
      blame: (reason) => this.#blame({ ...reason, name, isFailure: false }),
    };
  }

  /** Ends the process so that the next one has this part anew. */
  async restart({ name, spec }: Launched): Promise<void> {
    if (!this.#blame({ name, text: 'kagent starts it anew', isAsked: true, isFailure: false })) return;
    const child = await this.#child;
    child.signal('SIGTERM');
    await Promise.race([this.over, delay(spec.stopTimeoutMs)]);
    if (!this.#isOver) child.signal('SIGKILL');
  }

  async #untilOver(): Promise<Over> {
    const child = await this.#child;
    const text = await child.ended;
    await Promise.race([child.allRead, delay(lastWordsMs)]);
    child.signal('SIGKILL'); // what it has left in its group
    if (/^exit code [^0]/.test(text)) this.#blameWhoComplained(text);
    this.#isOver = true;
    const blamed = this.#blamed;
    const members = [...this.#members.values()];
    const isWanted = members.length > 0 && members.every(({ isStopped }) => isStopped);
    const how = this.#lastLine === undefined ? text : `${text}: ${this.#lastLine}`;
    for (const member of members) this.#end(member, this.#endingOf(member, how));
    return {
      failed: blamed?.isFailure === true ? blamed.name : undefined,
      outside: blamed === undefined && !isWanted ? how : undefined,
    };
  }

  #endingOf({ part: { name } }: Member, how: string): Ending {
    const blamed = this.#blamed;
    const isAsked = blamed?.isAsked === true;
    if (blamed?.name === name) return { text: blamed.text, isItsOwn: true, isAsked };
    const because = blamed === undefined ? `(${how})` : `with ${blamed.name} (${blamed.text})`;
    return { text: `${this.#options.name} ended ${because}`, isItsOwn: false, isAsked };
  }

  #end(member: Member, ending: Ending): void {
    member.isOver = true;
    member.isReady = false;
    member.ended.resolve(ending);
  }

  #blame(blamed: Blamed): boolean {
    if (this.#blamed !== undefined) return this.#blamed.name === blamed.name;
    this.#blamed = blamed;
    this.#options.onChange();
    return true;
  }

  /** A part that is over, but for its process, has nothing left that could be signalled. */
  #signal(child: Child, member: Member, signal: NodeJS.Signals): void {
    if (this.#isOver || !member.isOver) child.signal(signal);
  }

  /** The last one takes the process along; what the others cannot end goes with it. */
  #stop(child: Child, member: Member): void {
    member.isStopped = true;
    const isLast = [...this.#members.values()].every(({ isStopped, isOver }) => isStopped || isOver);
    if (isLast) child.signal('SIGTERM');
    else this.#tell(child, { stop: member.part.name });
  }

  #tell(child: Child, request: object): void {
    child.input?.on('error', () => {}); // it has ended, which is seen elsewhere
    child.input?.write(`${JSON.stringify(request)}\n`);
  }

  #hearReport(line: string): void {
    const { part, stopped, failed } = JSON.parse(line) as Report;
    const member = this.#members.get(part);
    if (member === undefined) return;
    if (failed !== undefined) this.#blame({ name: part, text: failed, isAsked: false, isFailure: true });
    if (stopped === true && member.isStopped)
      this.#end(member, { text: 'it was stopped', isItsOwn: true, isAsked: false });
  }

  #hearPart(part: string, line: string): void {
    if (/^(E|F)\d{4} |^Error: /.test(line)) this.#lastError = { by: part, atMs: performance.now() };
    this.#members.get(part)?.part.onLine(line);
  }

  /** Upstream's kubelet exits in many places without a word to the process it is in: after an error in its log. */
  #blameWhoComplained(text: string): void {
    const { by, atMs = 0 } = this.#lastError ?? {};
    if (by !== undefined && performance.now() - atMs < lastWordsMs + complainedMs)
      this.#blame({ name: by, text, isAsked: false, isFailure: true });
  }

  /** A crash of Go's says whose goroutine it was: `goroutine 7 [running labels:{"part": "kubelet"}]:` */
  #hearLine(line: string): void {
    this.#options.file.line(line);
    if (this.#crash === undefined) this.#lastLine = line;
    if (/^(panic|fatal error): /.test(line)) this.#crash ??= line;
    const part = /^goroutine \d+ .*labels:\{"part": "([^"]+)"/.exec(line)?.[1];
    if (part === undefined || this.#crash === undefined || !this.#members.has(part)) return;
    this.#blame({ name: part, text: this.#crash, isAsked: false, isFailure: true });
  }
}
