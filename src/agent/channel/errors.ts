import { KagentError } from '../../shared/errors.ts';
import { removedExitCode } from '../../shared/exit-codes.ts';

export class ComponentUnknownError extends KagentError {
  readonly code = 'COMPONENT_UNKNOWN';
  readonly fault = 'peer';
  constructor(name: string, known: readonly string[]) {
    super(`no component is named ${name}; there are ${known.toSorted().join(', ')}`);
  }
}

/** `kagent node rm`, typed on a server. */
export class NodeRemovedError extends KagentError {
  readonly code = 'NODE_REMOVED';
  readonly fault = 'operator';
  override readonly exitCode = removedExitCode;
  constructor(nodeName: string) {
    super(`${nodeName} was removed from the cluster by 'kagent node rm' on a server`, {
      remedy: "its pods are ended by 'kagent killall', and 'kagent agent --url … --token …' joins it anew",
    });
  }
}
