import { KagentError } from '../../shared/errors.ts';

export class BalancerPortTakenError extends KagentError {
  readonly code = 'BALANCER_PORT_TAKEN';
  readonly fault = 'operator';
  constructor(port: number, cause: unknown) {
    super(`port ${port} on 127.0.0.1 is taken by another program ('ss -ltnp' shows which)`, {
      remedy: 'end it or choose --lb-server-port',
      cause,
    });
  }
}
