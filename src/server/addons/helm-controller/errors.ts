import { KagentError } from '../../../shared/errors.ts';

/** The object asks for what cannot be; another try does not help until somebody changes it. */
export class HelmChartInvalidError extends KagentError {
  readonly code = 'HELM_CHART_INVALID';
  readonly fault = 'operator';
}

/** A Secret or ConfigMap that the object names is not there, or lacks what is looked for in it. */
export class HelmReferenceError extends KagentError {
  readonly code = 'HELM_REFERENCE';
  readonly fault = 'operator';
}

/** What helm said, in its words. */
export class HelmReleaseError extends KagentError {
  readonly code = 'HELM_RELEASE';
  readonly fault = 'operator';
  /** In CamelCase, as an Event's. */
  readonly reason: string;
  /** Another try may succeed although nothing is changed. */
  readonly mayHeal: boolean;
  constructor({
    reason,
    message,
    mayHeal,
  }: {
    readonly reason: string;
    readonly message: string;
    readonly mayHeal: boolean;
  }) {
    super(message);
    this.reason = reason;
    this.mayHeal = mayHeal;
  }
}
