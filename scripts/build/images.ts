/**
 * The images that travel in the bundle. Their names are ours: these are our own builds.
 */
import type { Image } from './oci.ts';

/** Ours to count up, when pause.c changes. */
export const pauseVersion = '0.1';

export function pauseImage(arch: string, pause: Uint8Array): Image {
  return {
    name: `kagent.sh/pause:${pauseVersion}`,
    arch,
    files: [{ path: '/pause', content: pause, mode: 0o755 }],
    entrypoint: ['/pause'],
    user: '65535:65535', // as upstream's: it needs no rights
  };
}

export function corednsImage(arch: string, version: string, coredns: Uint8Array): Image {
  return {
    name: `kagent.sh/coredns:${version}`,
    arch,
    files: [{ path: '/coredns', content: coredns, mode: 0o755 }],
    entrypoint: ['/coredns'],
  };
}

export function traefikImage(arch: string, version: string, traefik: Uint8Array): Image {
  return {
    name: `kagent.sh/traefik:${version}`,
    arch,
    files: [{ path: '/traefik', content: traefik, mode: 0o755 }],
    folders: { '/data': 0o755, '/tmp': 0o1777 },
    entrypoint: ['/traefik'],
    user: '65532:65532', // as k3s's chart has it
  };
}

/** A shell and two hundred small programs: for trying things out, and for Pods that only need `sh`. */
export function busyboxImage(arch: string, busybox: Uint8Array, applets: readonly string[]): Image {
  const text = (content: string) => Buffer.from(content);
  return {
    name: `kagent.sh/busybox:${busyboxTag}`,
    arch,
    files: [
      { path: '/bin/busybox', content: busybox, mode: 0o755 },
      {
        path: '/etc/passwd',
        content: text('root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n'),
        mode: 0o644,
      },
      { path: '/etc/group', content: text('root:x:0:\nnobody:x:65534:\n'), mode: 0o644 },
    ],
    folders: { '/root': 0o700, '/home': 0o755, '/tmp': 0o1777, '/var/tmp': 0o1777, '/var/www': 0o755 },
    links: Object.fromEntries(
      applets.filter((path) => path !== 'bin/busybox').map((path) => [`/${path}`, '/bin/busybox']),
    ),
    command: ['sh'],
  };
}

/** Upstream's first number: which version it is beyond that depends on the distribution, and manifests should not. */
export const busyboxTag = '1';
