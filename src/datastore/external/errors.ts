import { KagentError } from '../../shared/errors.ts';
import { wrongUsageExitCode } from '../../shared/exit-codes.ts';

export class DatastoreEndpointError extends KagentError {
  readonly code = 'CONFIG_DATASTORE_ENDPOINT';
  readonly fault = 'operator';
  override readonly exitCode = wrongUsageExitCode;
  /** @param why without the endpoint itself, which may have a password in it */
  constructor(why: string, remedy = endpointForms) {
    super(`--datastore-endpoint: ${why}`, { remedy });
  }
}

const endpointForms =
  "say https://HOST:2379 (of etcd; several with commas), 'postgres://USER:PASSWORD@HOST:5432/DATABASE' or 'mysql://USER:PASSWORD@tcp(HOST:3306)/DATABASE'";

/** A start on an empty datastore would be a new cluster beside the old one. */
export class DatastoreEmptyError extends KagentError {
  readonly code = 'DATASTORE_EMPTY';
  readonly fault = 'operator';
  constructor(name: string) {
    super(`the datastore, ${name}, is empty, and this server had a cluster in one`, {
      remedy: 'say where its data is now, or bring it there first',
    });
  }
}

export class DatastoreElsewhereError extends KagentError {
  readonly code = 'CONFIG_DATASTORE_ELSEWHERE';
  readonly fault = 'operator';
  override readonly exitCode = wrongUsageExitCode;
  constructor(name: string, file: string) {
    super(`this server's cluster is in ${name}, and --datastore-endpoint is not said`, {
      remedy: `say it, in config.yaml or by flag; for a new cluster in a datastore of its own remove ${file}`,
    });
  }
}

export class DatastoreHereError extends KagentError {
  readonly code = 'CONFIG_DATASTORE_HERE';
  readonly fault = 'operator';
  override readonly exitCode = wrongUsageExitCode;
  constructor(asked: string, dir: string) {
    super(`this server's cluster is in ${dir}, and ${asked}`, {
      remedy: `leave the flag out; for another cluster move ${dir} away`,
    });
  }
}
