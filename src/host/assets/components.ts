import { setTimeout as delay } from 'node:timers/promises';
import { task } from '../../shared/component/component.ts';
import type { Component, ComponentName } from '../../shared/component/component.ts';
import type { Log } from '../../shared/log/log.ts';
import type { Bundle } from './bundle.ts';
import { unpack } from './unpack.ts';

export interface AssetOptions {
  readonly bundle: Bundle;
  readonly dataDir: string;
  /** Whose programs somebody waits for most. */
  readonly first: keyof typeof parts;
  readonly log: Log;
}

/** Files that somebody waits for, by their components in bundle.json. What needs others waits for `assets`, which are all. */
const parts = {
  kubernetes: { name: 'assets-kubernetes', of: ['kubernetes'] },
  containerd: { name: 'assets-containerd', of: ['containerd', 'runc'] },
} as const;

/**
 * So long after it was unpacked all of it is synced to the disk: a start is over by then on most hosts, and the kernel has
 * written most of it on its own. After a power cut before that the next start unpacks it again; a kill alone loses nothing.
 */
const syncedAfterMs = 30_000;

/**
 * Unpacks the components; done at once if they are there. On a host's first start each program can be started as soon as its
 * own files are there, and all of them are synced to the disk when the start is over.
 */
export function assetComponents({ bundle, dataDir, first, log }: AssetOptions): readonly Component[] {
  const inOrder = first === 'kubernetes' ? [parts.kubernetes, parts.containerd] : [parts.containerd, parts.kubernetes];
  const groups = [
    ...inOrder.map(({ name, of }) => waitFor(name, bundle, (component) => of.some((one) => one === component))),
    waitFor('assets', bundle, () => true),
  ];
  const stopping = new AbortController();
  let finished: Promise<unknown> = Promise.resolve();
  const begin = (signal: AbortSignal): void => {
    const order = inOrder.flatMap(({ of }) => of);
    const onUsable = ({ path }: { readonly path: string }) => groups.forEach((group) => group.usable(path));
    const settled = delay(syncedAfterMs, undefined, { signal: stopping.signal }).catch(() => {}); // or when kagent ends
    finished = unpack({ bundle, dataDir, signal, early: { first: order, onUsable, settled } }).then(
      () => groups.forEach((group) => group.done()),
      (error: unknown) => {
        const isUsed = groups.every((group) => group.isDone());
        if (isUsed) log.warn('the components cannot be kept, and are unpacked again at the next start', { error });
        for (const group of groups) group.failed(error);
      },
    );
  };
  return groups.map(({ name, whenDone }) =>
    task(
      name,
      [],
      async (signal, saysWait) => {
        saysWait('Unpacking', `unpacks the components into ${dataDir}/data; this takes longer on a slow disk`);
        if (name === 'assets') begin(signal);
        await whenDone;
      },
      async () => {
        stopping.abort();
        await finished;
      },
    ),
  );
}

/** Some of the bundle's files. */
function waitFor(name: ComponentName, { manifest }: Bundle, isOne: (component: string) => boolean) {
  const wanted = manifest.files.filter(({ component }) => isOne(component));
  const missing = new Set(wanted.map(({ path }) => path));
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  promise.catch(() => {}); // a start that failed elsewhere waits for none of them any more
  let isDone = false;
  const done = () => {
    isDone = true;
    resolve();
  };
  return {
    name,
    whenDone: promise,
    isDone: () => isDone,
    usable(path: string) {
      if (missing.delete(path) && missing.size === 0) done();
    },
    done,
    failed: reject,
  };
}
