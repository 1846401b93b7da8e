import type { Progress } from '../host/daemon/daemon.ts';

/** How far a start is, for a service manager's status: `5 of 24 ready, waiting for images`. */
export function progressText({ ready, starting, total, heldUpBy }: Omit<Progress, 'elapsedMs'>): string {
  const waiting = starting.length === 0 ? '' : `, waiting for ${starting.join(', ')}`;
  return `${ready.length} of ${total} ready${waiting}${heldUpBy === undefined ? '' : ` (${heldUpBy})`}`;
}

/** One line that is rewritten in place on a terminal: how long, how far, what is waited for. Silent elsewhere. */
export function progressLine(stream: NodeJS.WriteStream): { show(progress: Progress): void; clear(): void } {
  if (!stream.isTTY) return { show: () => {}, clear: () => {} };
  return {
    show({ elapsedMs, ready, starting, total }) {
      const waiting = starting.length === 0 ? '' : `  waiting for ${starting.join(', ')}`;
      const text = `${(elapsedMs / 1000).toFixed(0).padStart(3)} s  ${ready.length} of ${total} ready${waiting}`;
      stream.write(`\r\u001b[K${text.slice(0, (stream.columns || 80) - 1)}`);
    },
    clear: () => void stream.write('\r\u001b[K'),
  };
}
