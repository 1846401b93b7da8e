/** What a person asks of this add-on, as of k3s's: a HelmChartConfig by the name of the chart. */
import { isNotFound, Reflector } from '../../../kube/kube.ts';
import type { KubeClient, KubeObject } from '../../../kube/kube.ts';
import { parseYaml } from '../../../shared/config/config.ts';
import { messageOf } from '../../../shared/errors.ts';
import { pause } from '../../../shared/pause.ts';
import { TraefikValueError } from './errors.ts';
import { namespace } from './manifests.ts';
import { readValues } from './values.ts';
import type { TraefikValues } from './values.ts';

export const configsPath = `/apis/helm.cattle.io/v1/namespaces/${namespace}/helmchartconfigs`;
const path = `${configsPath}?fieldSelector=metadata.name%3Dtraefik`;
/** Without the Helm controller the cluster may not know the kind; it is looked for again. */
const unknownKindMs = 15_000;

export interface TraefikConfigObject extends KubeObject {
  readonly spec?: {
    readonly values?: unknown;
    readonly valuesContent?: string;
    readonly valuesSecrets?: readonly unknown[];
  };
}

export class TraefikConfig {
  readonly #objects = new Reflector<TraefikConfigObject>(path);

  onChange(listener: () => void): void {
    this.#objects.onChange(listener);
  }

  get object(): TraefikConfigObject | undefined {
    return this.#objects.get(`${namespace}/traefik`);
  }

  /** @throws {TraefikValueError} */
  values(): TraefikValues {
    return readValues(this.object === undefined ? undefined : valuesIn(this.object));
  }

  /** @param onListed there is one, or there is none */
  async follow(kube: KubeClient, onListed: () => void, signal: AbortSignal): Promise<void> {
    try {
      await this.#objects.follow(kube, onListed, signal);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      onListed();
      await pause(unknownKindMs, signal);
    }
  }
}

/** As helm puts them together: `values` over `valuesContent`. */
function valuesIn({ spec = {} }: TraefikConfigObject): unknown {
  if ((spec.valuesSecrets ?? []).length > 0) throw new TraefikValueError('valuesSecrets', 'no Secret is read for it');
  return merged(contentOf(spec.valuesContent ?? ''), spec.values ?? {});
}

function contentOf(text: string): unknown {
  try {
    return parseYaml('valuesContent', text).toJS() ?? {};
  } catch (error) {
    throw new TraefikValueError('valuesContent', messageOf(error), { cause: error });
  }
}

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Fields are merged, whatever else comes last stands. */
function merged(under: unknown, over: unknown): unknown {
  if (!isFields(under) || !isFields(over)) return over;
  const fields = Object.entries(over).map(([name, value]) => [name, merged(under[name], value)] as const);
  return { ...under, ...Object.fromEntries(fields) };
}
