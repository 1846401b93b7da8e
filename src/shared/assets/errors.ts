import { KagentError } from '../errors.ts';

/** No bundle where one was looked for. */
export class AssetsMissingError extends KagentError {
  readonly code = 'ASSETS_MISSING';
  readonly fault = 'operator';
  constructor(path: string, why: string, options?: { readonly cause?: unknown }) {
    super(
      `no components in ${path}: ${why}; use the full kagent executable, or name a bundle with --bundle FILE or KAGENT_BUNDLE`,
      options,
    );
  }
}

/** The bundle's bytes are not what was built. */
export class AssetsCorruptError extends KagentError {
  readonly code = 'ASSETS_CORRUPT';
  readonly fault = 'operator';
  constructor(path: string, what: string, options?: { readonly cause?: unknown }) {
    super(`the components in ${path} are damaged: ${what}; download kagent again and compare its checksum`, options);
  }
}

/** The bundle is for another kind of processor. */
export class AssetsWrongArchError extends KagentError {
  readonly code = 'ASSETS_WRONG_ARCH';
  readonly fault = 'operator';
  constructor(path: string, bundleArch: string, hostArch: string) {
    super(`the components in ${path} are for ${bundleArch}, this box is ${hostArch}; download kagent for ${hostArch}`);
  }
}

/** The data dir's file system is too full for the unpacked components. */
export class AssetsNoSpaceError extends KagentError {
  readonly code = 'ASSETS_NO_SPACE';
  readonly fault = 'operator';
  constructor(dir: string, neededBytes: number, freeBytes: number | undefined, options?: { readonly cause?: unknown }) {
    const free =
      freeBytes === undefined ? 'the file system or a quota is full' : `${mebibytes(freeBytes)} MiB are free`;
    super(
      `unpacking needs ${mebibytes(neededBytes)} MiB in ${dir}, ${free}; make room, or choose another place with --data-dir`,
      options,
    );
  }
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20);
}
