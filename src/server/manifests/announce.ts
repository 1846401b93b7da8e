import { systemClock } from '../../shared/clock.ts';
import { messageOf } from '../../shared/errors.ts';
import type { EventLog } from '../../shared/events/events.ts';
import type { Log } from '../../shared/log/log.ts';
import { uniqueName, writeEvent } from '../../kube/kube.ts';
import type { EventFacts, KubeClient } from '../../kube/kube.ts';

/** Of the events here; of Kubernetes' own kube-apiserver allows 1024. */
const maxMessage = 500;

/** Says what became of a file: to kagent's own events, to the log, and to `kubectl get events -n kube-system`. */
export interface Announcer {
  failed(file: string, error: unknown): void;
  applied(file: string, count: number): void;
  tookOver(file: string, what: readonly string[]): void;
  pruned(file: string, paths: readonly string[]): void;
  /** Forgets that it failed, so that the same failure would be told again. */
  isWell(file: string): void;
}

export function createAnnouncer(options: {
  readonly kube: KubeClient;
  readonly nodeName: string;
  readonly log: Log;
  readonly events: EventLog;
  readonly signal: AbortSignal;
}): Announcer {
  const { nodeName, log, events } = options;
  const told = new Map<string, string>();

  const tell = (file: string, facts: EventFacts) => {
    events.record({ ...facts, message: facts.message.slice(0, maxMessage), regarding: file });
    writeEvent(options, {
      facts,
      involvedObject: { apiVersion: 'kagent.sh/v1', kind: 'Manifest', namespace: 'kube-system', name: file },
      name: uniqueName('kagent-manifest'),
      namespace: 'kube-system',
      host: nodeName,
      clock: systemClock,
    });
  };

  return {
    failed(file, error) {
      const message = messageOf(error);
      if (told.get(file) === message) return; // at each retry anew otherwise
      told.set(file, message);
      log.warn('manifest not applied', { file, error });
      tell(file, { type: 'Warning', reason: 'ManifestNotApplied', message });
    },
    applied(file, count) {
      log.info('manifest applied', { file, objects: count });
      tell(file, { type: 'Normal', reason: 'ManifestApplied', message: `${count} objects` });
    },
    tookOver(file, what) {
      log.info('manifest took over fields', { file, what });
      tell(file, { type: 'Normal', reason: 'ManifestTookOver', message: what.join('; ') });
    },
    pruned(file, paths) {
      log.info('manifest objects removed', { file, paths });
      const message = `removed ${paths.length} objects that it no longer has: ${paths.join(', ')}`;
      tell(file, { type: 'Normal', reason: 'ManifestPruned', message });
    },
    isWell: (file) => void told.delete(file),
  };
}
