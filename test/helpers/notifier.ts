import type { Notifier } from '../../src/host/service/service.ts';

/** Nobody waits to hear anything. */
export const silentNotifier: Notifier = {
  status: () => {},
  ready: () => {},
  stopping: () => {},
  extendTimeout: () => {},
  failed: () => {},
  flush: async () => {},
};
