/** The kinds of calls that services have, each from a function that answers a request; failures as grpc-go words them. */
import { ProtoReader } from '../../shared/protobuf/protobuf.ts';
import type { ProtoWriter } from '../../shared/protobuf/protobuf.ts';
import { toStatus } from './status.ts';
import { GrpcError } from '../../shared/grpc/grpc.ts';
import type { GrpcStatus, GrpcCall, GrpcMethod } from '../../shared/grpc/grpc.ts';

/** A method with one request and one answer. Of several messages, only the first is the request. */
export function unary(answer: (request: ProtoReader, sizeBytes: number) => Promise<ProtoWriter>): GrpcMethod {
  return (call) => {
    let isOpen = true;
    let hasRequest = false;
    const run = async (bytes: Buffer): Promise<void> => {
      try {
        const reply = await answer(new ProtoReader(bytes), bytes.length);
        if (isOpen) call.reply(reply);
      } catch (error) {
        if (isOpen) call.error(toStatus(error));
      }
    };
    return {
      message: (bytes) => {
        if (hasRequest) return;
        hasRequest = true;
        void run(bytes);
      },
      end: (isCut) => {
        if (!hasRequest) call.error(noUnaryRequest(isCut));
      },
      drained: () => {},
      closed: () => {
        isOpen = false;
      },
    };
  };
}

/** As unary, with an answer that may be long in coming; `signal`: the peer has gone. */
export function waiting(answer: (request: ProtoReader, signal: AbortSignal) => Promise<ProtoWriter>): GrpcMethod {
  return (call) => {
    const answers = new Answers(call, async function* (request, signal) {
      yield await answer(request, signal);
    });
    return {
      message: (bytes) => answers.start(Buffer.from(bytes)),
      end: (isCut) => {
        if (!answers.isStarted) call.error(noUnaryRequest(isCut));
      },
      drained: () => answers.drained(),
      closed: () => answers.closed(),
    };
  };
}

/** A method with one request and many answers, each when the peer has room for it; `signal`: the peer has gone. */
export function streaming(answer: AnswerAll): GrpcMethod {
  return (call) => {
    const answers = new Answers(call, answer);
    let request: Buffer | undefined;
    return {
      message: (bytes) => {
        // Used later, and the buffer is ours for this turn alone.
        if (request === undefined) request = Buffer.from(bytes);
        else call.error(violation('multiple request messages for'));
      },
      // Only now is it known that the request is the only one.
      end: (isCut) => {
        if (isCut) call.error(cutMessage);
        else if (request === undefined) call.error(violation('no request message from'));
        else answers.start(request);
      },
      drained: () => answers.drained(),
      closed: () => answers.closed(),
    };
  };
}

type AnswerAll = (request: ProtoReader, signal: AbortSignal) => AsyncIterable<ProtoWriter>;

/** The request of a stream broke off. */
export const cutMessage = new GrpcError('internal', 'unexpected EOF').status;

const noUnaryRequest = (isCut: boolean): GrpcStatus =>
  new GrpcError('unknown', isCut ? 'unexpected EOF' : 'EOF').status;

const violation = (what: string): GrpcStatus =>
  new GrpcError('internal', `cardinality violation: received ${what} non-client-streaming RPC`).status;

/** The answers to one request, on their way to a peer that may be slow or gone. */
class Answers {
  isStarted = false;
  readonly #call: GrpcCall;
  readonly #answer: AnswerAll;
  readonly #gone = new AbortController();
  #onDrained = (): void => {};

  constructor(call: GrpcCall, answer: AnswerAll) {
    this.#call = call;
    this.#answer = answer;
  }

  start(request: Buffer): void {
    if (this.isStarted || this.#gone.signal.aborted) return;
    this.isStarted = true;
    void this.#run(new ProtoReader(request));
  }

  drained(): void {
    this.#onDrained();
  }

  closed(): void {
    this.#gone.abort();
    this.#onDrained();
  }

  async #run(request: ProtoReader): Promise<void> {
    const { signal } = this.#gone;
    try {
      for await (const message of this.#answer(request, signal)) {
        if (signal.aborted) return;
        if (!this.#call.send(message)) await new Promise<void>((resolve) => (this.#onDrained = resolve));
      }
      if (!signal.aborted) this.#call.finish();
    } catch (error) {
      if (!signal.aborted) this.#call.error(toStatus(error));
    }
  }
}
