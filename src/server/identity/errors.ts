import { KagentError } from '../../shared/errors.ts';

export class NodeNameTakenError extends KagentError {
  readonly code = 'NODE_NAME_TAKEN';
  readonly fault = 'peer';
  override readonly httpStatus = 409;
  constructor(nodeName: string) {
    super(`another machine has joined as ${nodeName}`, {
      remedy: `choose another name with --node-name, or, if that machine is gone, remove it on the server with 'kagent node rm ${nodeName}' (or join with a token of 'kagent token create --node ${nodeName}')`,
    });
  }
}

export class NodeAddressInvalidError extends KagentError {
  readonly code = 'NODE_ADDRESS_INVALID';
  readonly fault = 'peer';
  override readonly httpStatus = 400;
  constructor(address: string) {
    super(`${JSON.stringify(address)} is not an address a node can have`, {
      remedy: 'set the right one with --node-ip',
    });
  }
}

/** Packets for the pods of both would go to one of them. */
export class NodeAddressTakenError extends KagentError {
  readonly code = 'NODE_ADDRESS_TAKEN';
  readonly fault = 'peer';
  override readonly httpStatus = 409;
  constructor(address: string, other: string, seenAs: string) {
    const seen = seenAs === address || seenAs.startsWith('127.') ? '' : `; the server sees this one as ${seenAs}`;
    super(
      `${address} is the address of the node ${other}, and pods of two nodes with one address do not reach each other${seen}`,
      {
        remedy: `give this node the address by which the others reach it: --node-ip ADDRESS; or remove ${other} on the server, if it is gone: 'kagent node rm ${other}'`,
      },
    );
  }
}

/** `--replace` is for a machine that is gone. */
export class NodeAliveError extends KagentError {
  readonly code = 'NODE_ALIVE';
  readonly fault = 'peer';
  override readonly httpStatus = 409;
  constructor(nodeName: string) {
    super(`${nodeName} is connected from another machine and is not replaced`, {
      remedy: 'stop kagent there first, or choose another name with --node-name',
    });
  }
}

/** It was removed, or never joined: its certificate alone is not enough. */
export class NodeNotJoinedError extends KagentError {
  readonly code = 'NODE_NOT_JOINED';
  readonly fault = 'peer';
  override readonly httpStatus = 403;
  constructor(nodeName: string) {
    super(`${nodeName} is no node of this cluster any more`, { remedy: 'start it with --token to join again' });
  }
}

/** The machine with the name may only be starting anew. */
export class NodeHeardLatelyError extends KagentError {
  readonly code = 'NODE_HEARD_LATELY';
  readonly fault = 'peer';
  override readonly httpStatus = 409;
  constructor(nodeName: string, freeAtMs: number) {
    super(
      `the machine that has the name ${nodeName} was heard too lately to be taken for gone (this server counts from its own start)`,
      {
        remedy: `if it is, remove it on the server with 'kagent node rm ${nodeName}', join with a token of 'kagent token create --node ${nodeName}', or try again after ${new Date(freeAtMs).toISOString()}`,
      },
    );
  }
}

/** Of the node on the server's own box. */
export class NodeNameReservedError extends KagentError {
  readonly code = 'NODE_NAME_RESERVED';
  readonly fault = 'peer';
  override readonly httpStatus = 409;
  constructor(nodeName: string) {
    super(`${nodeName} is the server's own node, whose name nobody else gets`, {
      remedy: 'choose another name with --node-name',
    });
  }
}

export class NodeAddressReservedError extends KagentError {
  readonly code = 'NODE_ADDRESS_RESERVED';
  readonly fault = 'peer';
  override readonly httpStatus = 409;
  constructor(address: string, of: string) {
    super(`${address} cannot be the address of this node: it is ${of}`, {
      remedy: 'give it the one by which the others reach it: --node-ip ADDRESS',
    });
  }
}
