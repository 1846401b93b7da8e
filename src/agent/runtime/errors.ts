import { KagentError } from '../../shared/errors.ts';

export class GrpcError extends KagentError {
  readonly code = 'RUNTIME_CALL_FAILED';
  readonly fault = 'internal';
  /** gRPC's number: 5 is not found, 14 unavailable. */
  readonly status: number;

  constructor(method: string, status: number, message: string, options?: { readonly cause?: unknown }) {
    super(`containerd answered ${method} with status ${status}: ${message}`, options);
    this.status = status;
  }
}

export class ImageImportError extends KagentError {
  readonly code = 'IMAGE_IMPORT_FAILED';
  readonly fault = 'operator';
  readonly archive: string;

  constructor(archive: string, reason: string, options?: { readonly cause?: unknown }) {
    super(`the images in ${archive} could not be imported: ${reason}`, {
      ...options,
      remedy: 'replace or remove the file',
    });
    this.archive = archive;
  }
}

export class ImageListError extends KagentError {
  readonly code = 'IMAGE_LIST_FAILED';
  readonly fault = 'operator';

  constructor(list: string, reason: string, options?: { readonly cause?: unknown }) {
    super(`not every image in the list ${list} is there: ${reason}`, options);
  }
}

export class ContainerdTemplateError extends KagentError {
  readonly code = 'CONTAINERD_TEMPLATE';
  readonly fault = 'operator';

  constructor(template: string, dropInDir: string) {
    super(`${template}: kagent takes no templates of containerd's configuration`, {
      remedy: `put what you changed, as plain TOML, into a file ${dropInDir}/NAME.toml and take the template away`,
    });
  }
}
