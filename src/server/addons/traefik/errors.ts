import { KagentError } from '../../../shared/errors.ts';

/** A value of the chart's that this add-on does not know, or that is none. */
export class TraefikValueError extends KagentError {
  readonly code = 'TRAEFIK_VALUE';
  readonly fault = 'operator';
  constructor(value: string, reason: string, options?: ErrorOptions) {
    super(`the value ${value} for traefik: ${reason}`, {
      ...options,
      remedy: "see docs/ingress.md for the values there are, or disable traefik and install the chart's own",
    });
  }
}

/** Somebody has installed a Traefik of the same names. */
export class TraefikForeignError extends KagentError {
  readonly code = 'TRAEFIK_FOREIGN';
  readonly fault = 'operator';
  constructor(object: string) {
    super(`${object} is there already, and is not kagent's`, {
      remedy: "start kagent with '--disable traefik' to keep it, or delete it to have kagent's",
    });
  }
}
