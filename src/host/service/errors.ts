import { KagentError } from '../../shared/errors.ts';

export class DaemonFailedError extends KagentError {
  readonly code = 'SERVICE_DAEMON_FAILED';
  readonly fault = 'operator';

  /** @param reason the sentence the daemon itself ended with, or how it ended and its last lines */
  constructor(reason: string) {
    super(reason);
  }
}

export class AlreadyRunningError extends KagentError {
  readonly code = 'SERVICE_ALREADY_RUNNING';
  readonly fault = 'operator';

  constructor(pid: number) {
    super(`kagent runs already (pid ${pid})`, { remedy: "'kagent status' shows it, 'kagent stop' ends it" });
  }
}

export class ServiceNotReadyError extends KagentError {
  readonly code = 'SERVICE_NOT_READY';
  readonly fault = 'operator';

  constructor(name: string, how: string, lastLines: string, seeMore: string) {
    const said = lastLines === '' ? '' : `; its last lines:\n${lastLines.replaceAll(/^/gm, '  ')}`;
    super(`service ${name} ${how}${said}\nMore: ${seeMore}`);
  }
}

export class ServiceManagerError extends KagentError {
  readonly code = 'SERVICE_MANAGER_FAILED';
  readonly fault = 'operator';

  constructor(command: string, output: string) {
    super(`'${command}' failed: ${output.trim() || 'it wrote nothing'}`);
  }
}

export class ServiceDefinitionError extends KagentError {
  readonly code = 'SERVICE_DEFINITION';
  readonly fault = 'operator';
}

export class EnvironmentValueError extends KagentError {
  readonly code = 'SERVICE_ENVIRONMENT_VALUE';
  readonly fault = 'operator';

  constructor(name: string) {
    super(`${name} has a line break or another control character in its value, which an environment file cannot hold`, {
      remedy: 'use config.yaml instead',
    });
  }
}
