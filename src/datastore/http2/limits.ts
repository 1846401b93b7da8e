/** What a client may open and send. It is told at the beginning. */
import { maxHeaderListBytes } from './hpack.ts';
import { defaultWindowBytes, frameTypes, settingIds } from './frames.ts';
import { uint32 } from './frame-checks.ts';
import type { Outbox } from './outbox.ts';
import { writeSettings } from './settings.ts';

export const streamWindowBytes = 1 << 20;
export const connectionWindowBytes = 16 << 20;
/** Open at a time: each watch stream is one. */
export const maxStreams = 20_000;

/** The first that a client hears. */
export function writeGreeting(outbox: Outbox): void {
  const payload = writeSettings([
    [settingIds.maxConcurrentStreams, maxStreams],
    [settingIds.initialWindowSize, streamWindowBytes],
    [settingIds.maxHeaderListSize, maxHeaderListBytes],
  ]);
  outbox.frame(frameTypes.settings, 0, 0, payload);
  writeWindowUpdate(outbox, 0, connectionWindowBytes - defaultWindowBytes);
}

/** @param streamId 0: of the connection */
export function writeWindowUpdate(outbox: Outbox, streamId: number, bytes: number): void {
  outbox.frame(frameTypes.windowUpdate, 0, streamId, uint32(bytes));
}
