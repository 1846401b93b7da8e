/** What stories need that follow others on the same hosts. */
import { afterAll, beforeAll } from 'vitest';
import type { Box, Running } from './cluster.ts';

/**
 * One cluster for all stories of a test file: made before the first of them, wiped after the last.
 * @returns it, for the hooks and tests of these stories
 */
export function shared<T extends { wipe(): Promise<void> }>(make: () => Promise<T>): () => T {
  let made: T | undefined;
  beforeAll(async () => {
    made = await make();
  });
  afterAll(() => made?.wipe());
  return () => {
    if (made === undefined) throw new Error('it is not made yet');
    return made;
  };
}

/** Ends the kagent of a box with SIGTERM, where one runs. */
export async function endKagent(box: Box): Promise<void> {
  const status = await box.status().catch(() => undefined);
  if (status === undefined) return;
  await box.signal(status.pid, 'TERM');
  await box.running().exited;
}

/** A server with these flags alone, whatever runs on the box now. */
export async function restartServer(box: Box, ...flags: readonly string[]): Promise<Running> {
  await endKagent(box);
  return await box.startServer(...flags);
}

/** What a story cannot bring about itself. @throws unless it is so */
export function needs(isSo: boolean, what: string): void {
  if (!isSo) throw new Error(`this story needs ${what}`);
}
