import { Reflector } from '../../../kube/kube.ts';
import type { KubeClient, KubeObject } from '../../../kube/kube.ts';
import { untilStopped } from '../../../shared/until-stopped.ts';
import { referencePath } from './wanted.ts';
import type { Reference } from './wanted.ts';

export interface ReferencesOptions {
  readonly kube: KubeClient;
  /** What one of them names has changed. @param key of the HelmChart */
  readonly onChange: (key: string) => void;
  readonly onFailure: (error: unknown) => void;
}

interface Followed {
  readonly stopping: AbortController;
  readonly work: Promise<void>;
  /** Keys of the HelmCharts that name it. */
  readonly namedBy: Set<string>;
}

/** Follows the Secrets and ConfigMaps that HelmCharts name, a watch for each of them: of the others nobody wants to know. */
export class References {
  readonly #options: ReferencesOptions;
  readonly #followed = new Map<string, Followed>();

  constructor(options: ReferencesOptions) {
    this.#options = options;
  }

  /** From now on the HelmChart names these and no others. */
  follow(key: string, references: readonly Reference[]): void {
    const wanted = new Map(references.map((reference) => [referencePath(reference), reference]));
    for (const [path, { namedBy, stopping }] of this.#followed) {
      if (wanted.has(path) || !namedBy.delete(key) || namedBy.size > 0) continue;
      stopping.abort();
      this.#followed.delete(path);
    }
    for (const [path, reference] of wanted) {
      const followed = this.#followed.get(path) ?? this.#begin(reference);
      this.#followed.set(path, followed);
      followed.namedBy.add(key);
    }
  }

  async stop(): Promise<void> {
    const all = [...this.#followed.values()];
    this.#followed.clear();
    for (const { stopping } of all) stopping.abort();
    await Promise.all(all.map(({ work }) => work));
  }

  #begin({ kind, namespace, name }: Reference): Followed {
    const { kube, onChange, onFailure } = this.#options;
    const selector = encodeURIComponent(`metadata.name=${name}`);
    const objects = new Reflector<KubeObject>(`/api/v1/namespaces/${namespace}/${kind}?fieldSelector=${selector}`);
    const namedBy = new Set<string>();
    let isListed = false;
    objects.onChange(({ before, after }) => {
      const isNew = before?.metadata.resourceVersion !== after?.metadata.resourceVersion;
      if (isListed && isNew) for (const key of namedBy) onChange(key);
    });
    const stopping = new AbortController();
    // What has changed between the read that led here and the list is seen now.
    const onListed = () => {
      if (!isListed) for (const key of namedBy) onChange(key);
      isListed = true;
    };
    const work = untilStopped((signal) => objects.follow(kube, onListed, signal), stopping.signal, onFailure);
    return { stopping, work, namedBy };
  }
}
