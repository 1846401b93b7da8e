/** What the checks of the path to a server are given: what was seen on one walk along it. */
import type { KagentError } from '../../shared/errors.ts';
import type { ProbeOpened } from '../../shared/protocol/probe.ts';

/** What was learnt; where the walk ended, the rest is missing. */
export interface ServerPath {
  readonly url: string;
  /** Before the server had answered to who this is. */
  readonly failure?: KagentError;
  /** Whether the server, or something that is none, was not reached; else it turned this node down. */
  readonly isCut?: boolean;
  readonly met?: Met;
}

export interface Met {
  readonly skewMs: number;
  readonly opened: ProbeOpened;
  /** What each kube-apiserver's port answered, if it is not reached. */
  readonly apiservers: readonly { readonly url: string; readonly failure: KagentError | undefined }[];
  readonly mtu: number;
  readonly ownAddresses: readonly string[];
  readonly there: Direction;
  readonly back: Direction;
}

export interface Direction {
  /** As IP counts them. */
  readonly sent: readonly number[];
  readonly came: readonly number[];
  /** Through the pods' network's own port; else it is in use and could not be tried. */
  readonly isVxlanPort: boolean;
}
