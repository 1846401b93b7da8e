import { systemClock } from '../../../shared/clock.ts';
import { messageOf } from '../../../shared/errors.ts';
import { isConflict, isNotFound, keyOf, Reflector, uniqueName, WorkQueue, writeEvent } from '../../../kube/kube.ts';
import type { EventFacts, KubeObject } from '../../../kube/kube.ts';
import type { AddonContext, ClusterNode } from '../types.ts';
import { configName, isShared, readConfig } from './config.ts';
import type { StorageConfig } from './config.ts';
import { VolumeLeavingError, VolumeUnsupportedError } from './errors.ts';
import { isAskedOfUs, isToBeRemoved, provisioner, selectedNodeKey } from './objects.ts';
import type { ClaimObject, ClassObject, VolumeObject } from './objects.ts';
import { planVolume } from './provision.ts';
import type { VolumePlan } from './provision.ts';
import { placeOf } from './removal.ts';
import { UnansweredFolders } from './unanswered.ts';
import type { Unanswered } from './unanswered.ts';

export const configPath = `/api/v1/namespaces/kube-system/configmaps/${configName}`;
const volumesPath = '/api/v1/persistentvolumes';
const atOnce = 8;

/** Makes a volume for each claim that asks for one, and removes those whose claim is gone. */
export class Controller {
  readonly #context: AddonContext;
  readonly #claims = new Reflector<ClaimObject>('/api/v1/persistentvolumeclaims');
  readonly #volumes = new Reflector<VolumeObject>(volumesPath);
  readonly #claimQueue: WorkQueue;
  readonly #volumeQueue: WorkQueue;
  readonly #unanswered: UnansweredFolders;
  /** What was said of each object last: a failure that repeats is one event. */
  readonly #told = new Map<string, string>();

  constructor(context: AddonContext) {
    this.#context = context;
    this.#claimQueue = new WorkQueue({
      atOnce,
      work: (key, signal) => this.#provision(key, signal),
      onFailure: (key, error) => this.#claimFailed(key, error),
    });
    this.#volumeQueue = new WorkQueue({
      atOnce,
      work: (key, signal) => this.#remove(key, signal),
      onFailure: (key, error) => this.#volumeFailed(key, error),
    });
    this.#unanswered = new UnansweredFolders({
      isWanted: ({ claim, claimUid }) => this.#claims.get(claim)?.metadata.uid === claimUid,
      remove: (folder, signal) => this.#removeUnanswered(folder, signal),
    });
    this.#claims.onChange(({ before, after }) => {
      if (before !== undefined && after?.metadata.uid !== before.metadata.uid) this.#claimGone(before);
      if (after !== undefined && isAskedOfUs(after)) this.#claimQueue.add(keyOf(after));
    });
    this.#volumes.onChange(({ before, after }) => {
      if (after === undefined) this.#told.delete(before?.metadata.uid ?? '');
      else if (isToBeRemoved(after)) this.#volumeQueue.add(keyOf(after));
    });
    context.nodes.onObjectChange(() => this.#tryAgain());
  }

  followClaims(signal: AbortSignal, onListed: () => void): Promise<void> {
    return this.#claims.follow(this.#context.kube, onListed, signal);
  }

  followVolumes(signal: AbortSignal, onListed: () => void): Promise<void> {
    return this.#volumes.follow(this.#context.kube, onListed, signal);
  }

  async stop(): Promise<void> {
    await Promise.all([this.#claimQueue.stop(), this.#volumeQueue.stop(), this.#unanswered.stop()]);
  }

  #claimGone({ metadata: { uid = '' } }: ClaimObject): void {
    this.#told.delete(uid);
    this.#unanswered.tryAgain();
  }

  /** A node may be back. */
  #tryAgain(): void {
    for (const claim of this.#claims.all()) if (isAskedOfUs(claim)) this.#claimQueue.add(keyOf(claim));
    for (const volume of this.#volumes.all()) if (isToBeRemoved(volume)) this.#volumeQueue.add(keyOf(volume));
    this.#unanswered.tryAgain();
  }

  async #provision(key: string, signal: AbortSignal): Promise<void> {
    const { kube, nodes, log } = this.#context;
    const claim = this.#claims.get(key);
    if (claim === undefined || !isAskedOfUs(claim)) return;
    if (this.#volumes.get(`pvc-${claim.metadata.uid}`) !== undefined) return; // Kubernetes is binding it
    const storageClass = await kube.find<ClassObject>(classPath(claim), signal);
    if (storageClass?.provisioner !== provisioner) return;
    const config = await this.#config(signal);
    const selected = claim.metadata.annotations?.[selectedNodeKey];
    const node = nodes.objects().find(({ metadata }) => metadata.name === selected);
    if (selected === undefined && storageClass['volumeBindingMode'] === 'WaitForFirstConsumer') return; // no pod yet
    if (selected !== undefined && node === undefined) return this.#chooseAnew(claim, selected, signal);
    if (node === undefined && !isShared(config)) throw new VolumeUnsupportedError(...immediate);
    const plans = planVolume({ claim, storageClass, config, node: isShared(config) ? undefined : node });
    const plan = await this.#makeOne(claim, (node ?? this.#anyNode()).metadata.name, plans, signal);
    if (plan === undefined) return;
    log.info('volume made', { claim: key, node: selected, path: plan.path });
    const message = `Successfully provisioned volume pvc-${claim.metadata.uid}`;
    this.#tell(claim, { type: 'Normal', reason: 'ProvisioningSucceeded', message });
  }

  /**
   * The first of these that can be made: of several disks one may be full, or gone.
   * @returns undefined where the claim is gone @throws what is in the way of each
   */
  async #makeOne(
    claim: ClaimObject,
    nodeName: string,
    plans: readonly VolumePlan[],
    signal: AbortSignal,
  ): Promise<VolumePlan | undefined> {
    const problems: string[] = [];
    for (const plan of plans) {
      try {
        return (await this.#make(claim, nodeName, plan, signal)) ? plan : undefined;
      } catch (error) {
        if (plans.length === 1) throw error;
        problems.push(messageOf(error));
      }
    }
    throw new Error([...new Set(problems)].toSorted().join('; '));
  }

  /** @returns false where the claim is gone */
  async #make(claim: ClaimObject, nodeName: string, plan: VolumePlan, signal: AbortSignal): Promise<boolean> {
    const { kube, nodes } = this.#context;
    const { id, root, path } = plan;
    if (this.#claims.get(keyOf(claim))?.metadata.uid !== claim.metadata.uid) return false;
    const all = nodes.objects();
    const leaving = this.#volumes.all().find((one) => isToBeRemoved(one) && placeOf(one, all).id === id);
    if (leaving !== undefined) throw new VolumeLeavingError(path, leaving.metadata.name);
    this.#unanswered.add({ id, nodeName, root, path, claim: keyOf(claim), claimUid: claim.metadata.uid ?? '' });
    await nodes.makeVolume(nodeName, plan);
    await kube.create(volumesPath, plan.object, signal).catch(unlessThere);
    this.#unanswered.delete(id);
    return true;
  }

  /** Of a claim that is gone. A PersistentVolume that was made after all has the folder; so may one of another claim. */
  async #removeUnanswered(folder: Unanswered, signal: AbortSignal): Promise<void> {
    const { kube, nodes, log } = this.#context;
    if ((await kube.find(`${volumesPath}/pvc-${folder.claimUid}`, signal)) !== undefined) return;
    const all = nodes.objects();
    if (this.#volumes.all().some((volume) => placeOf(volume, all).id === folder.id)) return;
    if (!all.some(({ metadata }) => metadata.name === folder.nodeName)) return;
    await nodes.removeVolume(folder.nodeName, folder);
    log.info('folder of a claim that is gone removed', {
      claim: folder.claim,
      node: folder.nodeName,
      path: folder.path,
    });
  }

  /** The scheduler's choice is no node any more: without it, it chooses again. */
  async #chooseAnew(claim: ClaimObject, selected: string, signal: AbortSignal): Promise<void> {
    const { namespace = 'default', name } = claim.metadata;
    const path = `/api/v1/namespaces/${namespace}/persistentvolumeclaims/${name}`;
    await this.#context.kube.mergePatch(path, { metadata: { annotations: { [selectedNodeKey]: null } } }, signal);
    const message = `the node ${selected} is gone; the scheduler chooses another`;
    this.#tell(claim, { type: 'Warning', reason: 'ProvisioningFailed', message });
  }

  async #remove(key: string, signal: AbortSignal): Promise<void> {
    const { kube, nodes, log } = this.#context;
    const volume = this.#volumes.get(key);
    if (volume === undefined || !isToBeRemoved(volume)) return;
    const all = nodes.objects();
    if (all.length === 0) throw new Error('the nodes are not known yet');
    const place = placeOf(volume, all);
    const sharer = this.#volumes.all().find((other) => !isToBeRemoved(other) && placeOf(other, all).id === place.id);
    if (sharer !== undefined) this.#leftBehind(volume, `${place.path} is the volume ${sharer.metadata.name} too`);
    else if (place.isNodeGone) this.#leftBehind(volume, `the node ${place.nodeName} is gone, and ${place.path} on it`);
    else await nodes.removeVolume(place.nodeName ?? this.#anyNode().metadata.name, place);
    const { uid } = volume.metadata;
    await kube.delete(`${volumesPath}/${key}`, uid === undefined ? {} : { uid }, signal).catch(unlessGoneOrAnother);
    log.info('volume removed', { volume: key, node: place.nodeName, path: place.path });
  }

  #leftBehind(volume: VolumeObject, why: string): void {
    const message = `the data is not removed: ${why}`;
    this.#tell(volume, { type: 'Warning', reason: 'VolumeLeftBehind', message });
  }

  async #config(signal: AbortSignal): Promise<StorageConfig> {
    const map = await this.#context.kube.find<{
      readonly metadata: KubeObject['metadata'];
      readonly data?: Readonly<Record<string, string>>;
    }>(configPath, signal);
    const text = map?.data?.['config.json'];
    if (text === undefined)
      throw new VolumeUnsupportedError(
        `there is no ConfigMap kube-system/${configName} with config.json`,
        'restart kagent on the server, which makes it',
      );
    return readConfig(text);
  }

  #anyNode(): ClusterNode {
    const all = this.#context.nodes.objects();
    const node = all.find(({ metadata }) => metadata.name === this.#context.nodeName) ?? all[0];
    if (node === undefined) throw new VolumeUnsupportedError('the cluster has no node', 'join one');
    return node;
  }

  #claimFailed(key: string, error: unknown): void {
    const claim = this.#claims.get(key);
    if (claim !== undefined)
      this.#tellFailure(claim, { type: 'Warning', reason: 'ProvisioningFailed', message: messageOf(error) });
  }

  #volumeFailed(key: string, error: unknown): void {
    const volume = this.#volumes.get(key);
    if (volume !== undefined)
      this.#tellFailure(volume, { type: 'Warning', reason: 'VolumeFailedDelete', message: messageOf(error) });
  }

  #tellFailure(object: KubeObject, facts: EventFacts): void {
    const { uid = '' } = object.metadata;
    if (this.#told.get(uid) === facts.message) return;
    this.#told.set(uid, facts.message);
    this.#context.log.warn('volume', { object: keyOf(object), reason: facts.reason, problem: facts.message });
    this.#tell(object, facts);
  }

  #tell({ metadata }: KubeObject, facts: EventFacts): void {
    const { nodeName } = this.#context;
    const { name, uid = '', namespace } = metadata;
    const involvedObject =
      namespace === undefined
        ? { apiVersion: 'v1', kind: 'PersistentVolume', name, uid }
        : { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid };
    const place = { namespace: namespace ?? 'default', host: nodeName, clock: systemClock };
    writeEvent(this.#context, { facts, involvedObject, name: uniqueName(name), ...place });
  }
}

const immediate = [
  'no node was chosen for the claim',
  'its StorageClass needs volumeBindingMode: WaitForFirstConsumer',
] as const;

const classPath = ({ spec }: ClaimObject) => `/apis/storage.k8s.io/v1/storageclasses/${spec?.storageClassName ?? ''}`;

function unlessThere(error: unknown): void {
  if (!isConflict(error)) throw error;
}

/** Gone, or another one of its name. */
function unlessGoneOrAnother(error: unknown): void {
  if (!isNotFound(error) && !isConflict(error)) throw error;
}
