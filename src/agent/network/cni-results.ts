import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { networkName } from './cni.ts';

/** Where libcni notes what it has made for each pod, of every network on the box. */
const resultsDir = '/var/lib/cni/results';

/** Our pods' notes. */
function ourResults(dir: string): readonly string[] {
  try {
    return readdirSync(dir)
      .filter((name) => name.startsWith(`${networkName}-`))
      .map((name) => join(dir, name));
  } catch {
    return []; // no pod was ever started
  }
}

export interface PodHostPort {
  readonly port: number;
  /** As Kubernetes writes it: `TCP`. */
  readonly protocol: string;
  /** `default/web` */
  readonly pod: string;
}

/** Ports of this node that lead to a pod, as their containers ask for with `hostPort`. */
export function podHostPorts(dir = resultsDir): readonly PodHostPort[] {
  return ourResults(dir).flatMap((path) => {
    const { cniArgs = [], capabilityArgs } = readResult(path);
    const args = new Map(cniArgs.map(([name, value]): [string, string] => [name, value]));
    const pod = `${args.get('K8S_POD_NAMESPACE') ?? ''}/${args.get('K8S_POD_NAME') ?? ''}`;
    return (capabilityArgs?.portMappings ?? []).map((mapping) => {
      const { hostport, protocol } = inLowerCase(mapping);
      return { port: Number(hostport), protocol: typeof protocol === 'string' ? protocol.toUpperCase() : 'TCP', pod };
    });
  });
}

/** As libcni's cache has it (CNI specification 1.1, libcni/api.go). */
interface CniResult {
  readonly cniArgs?: readonly (readonly [name: string, value: string])[] | undefined;
  readonly capabilityArgs?: {
    readonly portMappings?: readonly Readonly<Record<string, unknown>>[];
  };
}

/** containerd writes `HostPort`, others `hostPort`: Go reads both. */
function inLowerCase(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name.toLowerCase(), value]));
}

function readResult(path: string): CniResult {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as CniResult;
  } catch {
    return {}; // the pod has ended meanwhile
  }
}

/** The links that the bandwidth plugin made for our pods: they hang on nothing, and end with no pod. */
export function bandwidthLinks(dir = resultsDir): readonly string[] {
  return ourResults(dir).flatMap((path) => {
    const names = readFileSync(path, 'utf8').match(/"bwp[0-9a-f]{12}"/g) ?? [];
    return [...new Set(names.map((name) => name.slice(1, -1)))];
  });
}

/** The folder may hold those of other programs too. */
export function removeResults(dir = resultsDir): void {
  for (const path of ourResults(dir)) rmSync(path, { force: true });
}
