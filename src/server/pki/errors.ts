import { KagentError } from '../../shared/errors.ts';

export class PkiFileInvalidError extends KagentError {
  readonly code = 'PKI_FILE_INVALID';
  readonly fault = 'operator';
  constructor(path: string, cause: unknown) {
    super(`${path} cannot be read as PEM`, { remedy: 'put the file back from a backup', cause });
  }
}

export class PkiKeyMismatchError extends KagentError {
  readonly code = 'PKI_KEY_MISMATCH';
  readonly fault = 'operator';
  constructor(certFile: string, keyFile: string) {
    super(`${certFile} does not belong to the key in ${keyFile}`, { remedy: 'put both back from the same backup' });
  }
}

export class PkiKeyMissingError extends KagentError {
  readonly code = 'PKI_KEY_MISSING';
  readonly fault = 'operator';
  constructor(certFile: string, keyFile: string) {
    super(`${keyFile} is missing beside ${certFile}`, {
      remedy: 'put it back from a backup, nothing can be signed without it',
    });
  }
}

export class CaExpiredError extends KagentError {
  readonly code = 'PKI_CA_EXPIRED';
  readonly fault = 'operator';
  constructor(certFile: string, notAfter: string) {
    super(`the CA in ${certFile} ended on ${notAfter}`, { remedy: "check this machine's clock, then renew the CA" });
  }
}

export class CsrInvalidError extends KagentError {
  readonly code = 'CSR_INVALID';
  readonly fault = 'peer';
  override readonly httpStatus = 400;
  constructor(reason: string, cause?: unknown) {
    super(`the certificate signing request is not usable: ${reason}`, { cause });
  }
}
