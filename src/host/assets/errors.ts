import { KagentError } from '../../shared/errors.ts';

/** No bundle where one was looked for. */
export class AssetsMissingError extends KagentError {
  readonly code = 'ASSETS_MISSING';
  readonly fault = 'operator';
  constructor(path: string, why: string, options?: { readonly cause?: unknown }) {
    super(`no components in ${path}: ${why}`, {
      ...options,
      remedy:
        'use the full kagent executable, or name a bundle, by file or address, with --bundle FILE or KAGENT_BUNDLE',
    });
  }
}

/** The bundle's bytes are not what was built. */
export class AssetsCorruptError extends KagentError {
  readonly code = 'ASSETS_CORRUPT';
  readonly fault = 'operator';
  constructor(path: string, what: string, options?: { readonly cause?: unknown }) {
    super(`the components in ${path} are damaged: ${what}`, {
      ...options,
      remedy: 'download kagent again and compare its checksum',
    });
  }
}

/** The bundle is for another kind of processor. */
export class AssetsWrongArchError extends KagentError {
  readonly code = 'ASSETS_WRONG_ARCH';
  readonly fault = 'operator';
  constructor(path: string, bundleArch: string, hostArch: string) {
    super(`the components in ${path} are for ${bundleArch}, this box is ${hostArch}`, {
      remedy: `download kagent for ${hostArch}`,
    });
  }
}

/** The data dir's file system is too full for the unpacked components. */
export class AssetsNoSpaceError extends KagentError {
  readonly code = 'ASSETS_NO_SPACE';
  readonly fault = 'operator';
  constructor(dir: string, neededBytes: number, freeBytes: number | undefined, options?: { readonly cause?: unknown }) {
    const free =
      freeBytes === undefined ? 'the file system or a quota is full' : `${mebibytes(freeBytes)} MiB are free`;
    super(`kagent needs ${mebibytes(neededBytes)} MiB in ${dir} for its components, ${free}`, {
      ...options,
      remedy: 'make room, or choose another place with --data-dir',
    });
  }
}

/** The address from which the components should come does not give them. */
export class AssetsUnreachableError extends KagentError {
  readonly code = 'ASSETS_UNREACHABLE';
  readonly fault = 'peer';
  constructor(url: string, why: string, options?: { readonly cause?: unknown }) {
    super(`the components cannot be fetched from ${url}: ${why}`, {
      ...options,
      remedy: 'the next start continues where this one ended, or name another place with --bundle FILE',
    });
  }
}

/** What an address gave is not the bundle of this executable. */
export class AssetsWrongBundleError extends KagentError {
  readonly code = 'ASSETS_WRONG_BUNDLE';
  readonly fault = 'peer';
  constructor(url: string, actual: string, wanted: string) {
    super(`${url} has the sha256 ${actual}, and this kagent was built for ${wanted}`, {
      remedy: 'nothing was unpacked: name the bundle of the same release with --bundle',
    });
  }
}

/** An address was named, and the executable knows no checksum to compare with. */
export class AssetsUnverifiableError extends KagentError {
  readonly code = 'ASSETS_UNVERIFIABLE';
  readonly fault = 'operator';
  constructor(url: string) {
    super(`this kagent was built without a bundle and cannot tell whether ${url} is the right one`, {
      remedy: 'download it, compare its checksum, and name the file with --bundle FILE',
    });
  }
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20);
}
