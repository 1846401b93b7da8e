/**
 * @module
 * The components that travel inside the executable: finds the bundle, or fetches it, verifies it, unpacks it; workers and the
 * SQLite addon.
 * Knows: the bundle's format, the layout of `<data-dir>/data`.
 * Leaves to others: building bundles (scripts/build/), running what is unpacked (process/), importing images (agent/runtime).
 */
export { bundlePath, openBundle, type Bundle } from './bundle.ts';
export { assetComponents } from './components.ts';
export { readEmbedded } from './embedded.ts';
export * from './errors.ts';
export { findBundle } from './find.ts';
export type { BundledFile, BundleManifest } from './format.ts';
export { toolCache, toolFolder } from './tool-folder.ts';
export { unpack, type Unpacked, type UnpackOptions, type UnpackProgress } from './unpack.ts';
export { nativeAddonPath, startWorker } from './worker.ts';
