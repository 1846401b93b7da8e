import type { Clock } from '../../../shared/clock.ts';
import { wholeSeconds } from '../../../kube/kube.ts';
import type { ChartCondition, HelmChart, HelmChartStatus, ReleaseStatus } from './objects.ts';

/** What is to be said of a HelmChart now. */
export interface Progress {
  readonly reason: string;
  readonly message: string;
  readonly isReady: boolean;
  readonly hasFailed?: boolean;
  readonly gaveUp?: boolean;
  /** Of what was tried. */
  readonly configHash?: string;
  readonly release?: ReleaseStatus | undefined;
}

/** There is nothing to do for it: it is installed as it asks for, or was tried and given up. */
export function isTried({ status, metadata }: HelmChart, configHash: string): boolean {
  if (status?.configHash !== configHash) return false;
  const isReady = status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true;
  return isReady || (status.gaveUp === true && status.observedGeneration === metadata['generation']);
}

/** The fields of the status that are to be written; undefined where all is as it was. */
export function nextStatus(
  { status: before }: HelmChart,
  progress: Progress & { readonly generation: unknown },
  clock: Clock,
): Partial<HelmChartStatus> | undefined {
  const { isReady, hasFailed = false, gaveUp = false, reason, message, configHash, release, generation } = progress;
  const condition = (type: ChartCondition['type'], isTrue: boolean): ChartCondition => {
    const known = before?.conditions?.find((one) => one.type === type);
    const status = isTrue ? 'True' : 'False';
    const lastTransitionTime = known?.status === status ? known.lastTransitionTime : wholeSeconds(clock);
    return { type, status, reason, message, lastTransitionTime };
  };
  // While it is tried again, what the last try came to is still true.
  const wasFailed = before?.conditions?.find(({ type }) => type === 'Failed');
  const isTrying = !isReady && !hasFailed;
  const failed = isTrying && wasFailed !== undefined ? wasFailed : condition('Failed', hasFailed);
  const next = {
    observedGeneration: generation as number,
    gaveUp,
    conditions: [condition('Ready', isReady), failed],
    ...(configHash !== undefined && { configHash }),
    ...(release !== undefined && { release }),
  };
  const same = JSON.stringify({ ...before, ...next }) === JSON.stringify({ ...before });
  return same ? undefined : next;
}
