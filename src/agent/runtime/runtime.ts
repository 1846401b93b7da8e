/**
 * @module
 * The container runtime: containerd with its configuration, the images that travel with kagent or lie on the node, and what is left of pods.
 * Knows: containerd's config.toml, its gRPC socket, archives and lists of images, shims and their mounts.
 * Leaves to others: when pods run (node/), their addresses (network/), what the host can do (host/).
 */
export { containerdComponent, containerdsOwn, type ContainerdOptions } from './containerd.ts';
export { containerdConfig, type ContainerdSettings } from './config.ts';
export { imagesComponent, type ImagesOptions } from './images.ts';
export { endPods } from './shims.ts';
export { listImages, type StoredImage } from './containerd-api.ts';
export { ContainerdTemplateError, GrpcError, ImageImportError, ImageListError } from './errors.ts';
