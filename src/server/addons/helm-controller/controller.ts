import { systemClock } from '../../../shared/clock.ts';
import { KagentError, messageOf } from '../../../shared/errors.ts';
import { keyOf, Reflector, uniqueName, unlessGone, WorkQueue, writeEvent } from '../../../kube/kube.ts';
import type { EventFacts } from '../../../kube/kube.ts';
import type { AddonContext } from '../types.ts';
import { HelmChartInvalidError, HelmReferenceError, HelmReleaseError } from './errors.ts';
import { runHelm } from './helm.ts';
import type { Report } from './helm.ts';
import {
  chartsPath,
  configsPath,
  finalizer,
  finalizersOf,
  ignoredFields,
  isAnother,
  isDeleted,
  isManaged,
  outlineOf,
  pathOf,
  targetNamespaceOf,
} from './objects.ts';
import type { HelmChart, HelmChartConfig } from './objects.ts';
import { References } from './references.ts';
import { isTried, nextStatus } from './status.ts';
import type { Progress } from './status.ts';
import { referencesOf, timeoutMsOf, wantedOf } from './wanted.ts';
import type { HelmRequest, Wanted } from './wanted.ts';

/** helm takes a processor and some tens of MiB while it works. */
const atOnce = 2;
/** As k3s's job. */
const usualBackOffLimit = 1000;
const retries = { firstRetryMs: 1000, maxRetryMs: 300_000 };

/** Brings each HelmChart's release to what the object says, by helm, which runs for that long and no longer. */
export class Controller {
  readonly #context: AddonContext;
  readonly #charts = new Reflector<HelmChart>(chartsPath, outlineOf);
  readonly #configs = new Reflector<HelmChartConfig>(configsPath, outlineOf);
  readonly #references: References;
  readonly #queue: WorkQueue;
  /** What was said of each object last: a failure that repeats is one event. */
  readonly #told = new Map<string, string>();
  /** Runs that are ended when their object is deleted. */
  readonly #installing = new Map<string, AbortController>();
  /** How often what an object asks for now has failed. */
  readonly #failures = new Map<string, { readonly hash: string; readonly count: number }>();

  constructor(context: AddonContext) {
    this.#context = context;
    const { kube, log } = context;
    this.#queue = new WorkQueue({
      atOnce,
      ...retries,
      work: (key, signal) => this.#reconcile(key, signal),
      onFailure: (key, error) => log.debug('helm chart is tried again', { chart: key, error }),
    });
    this.#references = new References({
      kube,
      onChange: (key) => this.#queue.add(key),
      onFailure: (error) => log.debug('what a helm chart names is not watched', { error }),
    });
    this.#charts.onChange(({ before, after }) => {
      const object = after ?? before;
      if (object === undefined || !isAnother(before, after)) return;
      if (isDeleted(object)) this.#installing.get(keyOf(object))?.abort();
      this.#queue.add(keyOf(object));
    });
    this.#configs.onChange(({ before, after }) => {
      const object = after ?? before;
      const isNamed = object !== undefined && this.#charts.get(keyOf(object)) !== undefined;
      if (isNamed && isAnother(before, after)) this.#queue.add(keyOf(object));
    });
  }

  followCharts(signal: AbortSignal, onListed: () => void): Promise<void> {
    return this.#charts.follow(this.#context.kube, onListed, signal);
  }

  followConfigs(signal: AbortSignal, onListed: () => void): Promise<void> {
    return this.#configs.follow(this.#context.kube, onListed, signal);
  }

  async stop(): Promise<void> {
    await Promise.all([this.#queue.stop(), this.#references.stop()]);
  }

  async #reconcile(key: string, signal: AbortSignal): Promise<void> {
    const { kube } = this.#context;
    const chart = await kube.find<HelmChart>(pathOf(chartsPath, key), signal);
    if (chart === undefined) return this.#forget(key);
    if (isDeleted(chart)) return await this.#remove(key, chart, signal);
    if (!isManaged(chart)) return;
    const config = await kube.find<HelmChartConfig>(pathOf(configsPath, key), signal);
    this.#references.follow(key, referencesOf(chart, config));
    let wanted: Wanted | undefined;
    try {
      wanted = await wantedOf(this.#context, chart, config, signal);
      await this.#keepFinalizer(key, chart, signal);
      if (isTried(chart, wanted.configHash)) await this.#seen(key, chart, signal);
      else await this.#apply(key, chart, wanted, signal);
    } catch (error) {
      signal.throwIfAborted();
      await this.#failed(key, chart, { error, wanted }, signal);
    }
  }

  /** What a person has changed needs nothing. */
  async #seen(key: string, { metadata, status }: HelmChart, signal: AbortSignal): Promise<void> {
    const observedGeneration = metadata['generation'];
    if (status?.observedGeneration === observedGeneration) return;
    const patch = { status: { observedGeneration } };
    await this.#context.kube.mergePatch(`${pathOf(chartsPath, key)}/status`, patch, signal);
  }

  #forgetFailures(key: string): void {
    for (const type of ['Normal', 'Warning']) this.#told.delete(`${key} ${type}`);
    this.#failures.delete(key);
  }

  #forget(key: string): void {
    this.#references.follow(key, []);
    this.#forgetFailures(key);
  }

  async #apply(key: string, chart: HelmChart, wanted: Wanted, signal: AbortSignal): Promise<void> {
    const ignored = ignoredFields(chart.spec ?? {});
    if (ignored.length > 0)
      this.#tellOnce(key, chart, {
        type: 'Normal',
        reason: 'FieldsIgnored',
        message: `${ignored.join(', ')} without effect: there is no job and no pod`,
      });
    await this.#write(key, chart, { reason: 'Progressing', message: 'helm is at work', isReady: false }, signal);
    const done = await this.#run(key, chart, wanted, signal);
    if (done === undefined) return;
    const { configHash } = wanted;
    const release = done.release && { name: wanted.name, namespace: wanted.namespace, ...done.release };
    await this.#write(key, chart, { ...done, isReady: true, configHash, release }, signal);
    this.#forgetFailures(key);
    this.#context.log.info('helm release', { chart: key, change: done.reason, ...release });
    if (done.reason !== 'Unchanged') this.#tell(chart, { type: 'Normal', reason: done.reason, message: done.message });
  }

  /** Before anything is installed: what is deleted then is uninstalled first. It may also be missing after a time without controller. */
  async #keepFinalizer(key: string, chart: HelmChart, signal: AbortSignal): Promise<void> {
    const finalizers = finalizersOf(chart);
    if (!finalizers.includes(finalizer)) await this.#writeFinalizers(key, chart, [...finalizers, finalizer], signal);
  }

  async #writeFinalizers(key: string, chart: HelmChart, finalizers: readonly string[], signal: AbortSignal) {
    const { resourceVersion } = await this.#newest(key, chart, signal);
    const patch = { metadata: { finalizers, resourceVersion } };
    await this.#context.kube.mergePatch(pathOf(chartsPath, key), patch, signal);
  }

  /** kagent's own writes have changed it since it was read, and others must not be overwritten. */
  async #newest(key: string, chart: HelmChart, signal: AbortSignal): Promise<HelmChart['metadata']> {
    const { metadata } = await this.#context.kube.get<HelmChart>(pathOf(chartsPath, key), signal);
    if (JSON.stringify(finalizersOf({ metadata })) !== JSON.stringify(finalizersOf(chart)))
      throw new Error('somebody else changes the finalizers');
    return metadata;
  }

  async #remove(key: string, chart: HelmChart, signal: AbortSignal): Promise<void> {
    const finalizers = finalizersOf(chart);
    if (!finalizers.includes(finalizer)) return;
    if (isManaged(chart) && !(await this.#uninstall(key, chart, signal))) return;
    const others = finalizers.filter((one) => one !== finalizer);
    await this.#writeFinalizers(key, chart, others, signal).catch(unlessGone);
  }

  /** @returns whether nothing of the release is left */
  async #uninstall(key: string, chart: HelmChart, signal: AbortSignal): Promise<boolean> {
    try {
      const done = await this.#run(key, chart, removalOf(chart), signal);
      if (done === undefined) return false;
      this.#context.log.info('helm release', { chart: key, change: done.reason });
      if (done.reason !== 'Absent') this.#tell(chart, { type: 'Normal', reason: done.reason, message: done.message });
      return true;
    } catch (error) {
      signal.throwIfAborted();
      await this.#failed(key, chart, { error, wanted: undefined }, signal);
      return false;
    }
  }

  /** @returns undefined where it was ended, since the HelmChart has been deleted meanwhile */
  async #run(key: string, chart: HelmChart, request: HelmRequest, signal: AbortSignal): Promise<Report | undefined> {
    const onStep = ({ reason, message }: Report) =>
      this.#tell(chart, { type: reason === 'Reinstalling' ? 'Normal' : 'Warning', reason, message });
    const ending = new AbortController();
    if (request.action === 'apply') this.#installing.set(key, ending);
    try {
      return await runHelm(this.#context.helm, request, onStep, AbortSignal.any([signal, ending.signal]));
    } catch (error) {
      if (ending.signal.aborted) return undefined;
      throw error;
    } finally {
      this.#installing.delete(key);
    }
  }

  /** @throws `error` where another try may help */
  async #failed(
    key: string,
    chart: HelmChart,
    { error, wanted }: { readonly error: unknown; readonly wanted: Wanted | undefined },
    signal: AbortSignal,
  ): Promise<void> {
    if (!(error instanceof KagentError)) throw error; // kube-apiserver's, or our own: nothing to tell of the chart
    const reason = reasonOf(error);
    if (reason === undefined) throw error;
    const message = messageOf(error);
    const hash = wanted?.configHash ?? '';
    const gaveUp = !isDeleted(chart) && (this.#isLast(key, chart, hash) || !mayHeal(error, wanted));
    await this.#write(
      key,
      chart,
      { reason, message, isReady: false, hasFailed: true, gaveUp, configHash: hash },
      signal,
    );
    this.#tellOnce(key, chart, { type: 'Warning', reason, message });
    if (!gaveUp) throw error;
  }

  #isLast(key: string, { spec }: HelmChart, hash: string): boolean {
    const before = this.#failures.get(key);
    const count = before?.hash === hash ? before.count + 1 : 1;
    this.#failures.set(key, { hash, count });
    return count > (spec?.backOffLimit ?? usualBackOffLimit);
  }

  async #write(key: string, { metadata }: HelmChart, progress: Progress, signal: AbortSignal): Promise<void> {
    const { kube } = this.#context;
    const now = await kube.find<HelmChart>(pathOf(chartsPath, key), signal);
    if (now === undefined || now.metadata.uid !== metadata.uid) return;
    const status = nextStatus(now, { ...progress, generation: metadata['generation'] }, systemClock);
    if (status !== undefined) await kube.mergePatch(`${pathOf(chartsPath, key)}/status`, { status }, signal);
  }

  #tellOnce(key: string, chart: HelmChart, facts: EventFacts): void {
    const said = `${facts.reason} ${facts.message}`;
    if (this.#told.get(`${key} ${facts.type}`) === said) return;
    this.#told.set(`${key} ${facts.type}`, said);
    if (facts.type === 'Warning')
      this.#context.log.warn('helm chart', { chart: key, reason: facts.reason, problem: facts.message });
    this.#tell(chart, facts);
  }

  #tell({ metadata }: HelmChart, facts: EventFacts): void {
    const { nodeName } = this.#context;
    const { name, namespace = 'default', uid = '' } = metadata;
    const involvedObject = { apiVersion: 'helm.cattle.io/v1', kind: 'HelmChart', namespace, name, uid };
    const event = { facts, involvedObject, name: uniqueName(name), namespace, host: nodeName, clock: systemClock };
    writeEvent(this.#context, event);
  }
}

/** What was installed last is removed, whatever the object says by now. */
function removalOf(chart: HelmChart): HelmRequest {
  const { release } = chart.status ?? {};
  const namespace = release?.namespace ?? targetNamespaceOf(chart);
  return { action: 'remove', name: chart.metadata.name, namespace, timeoutMs: timeoutMsIfValid(chart) };
}

function timeoutMsIfValid(chart: HelmChart): number {
  try {
    return timeoutMsOf(chart);
  } catch {
    return timeoutMsOf({ metadata: chart.metadata });
  }
}

function reasonOf(error: KagentError): string | undefined {
  if (error instanceof HelmReleaseError) return error.reason;
  if (error instanceof HelmReferenceError) return 'ReferenceMissing';
  return error instanceof HelmChartInvalidError ? 'SpecInvalid' : undefined;
}

/** With the policy `abort` a chart that failed is left as it is; one that is not to be had is asked for again all the same. */
function mayHeal(error: KagentError, wanted: HelmRequest | undefined): boolean {
  if (error instanceof HelmReferenceError) return true;
  if (!(error instanceof HelmReleaseError) || !error.mayHeal) return false;
  return wanted?.failurePolicy !== 'abort' || !['InstallFailed', 'UpgradeFailed'].includes(error.reason);
}
