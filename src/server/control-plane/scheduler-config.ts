import { truthOf, valueOf } from '../../shared/arguments/arguments.ts';
import type { Flag, Flags } from '../../shared/arguments/arguments.ts';
import { parseYaml, readConfigText, UnreadableConfigError } from '../../shared/config/config.ts';
import { writeFileIfChanged } from '../../shared/files/files.ts';
import type { Account } from './account.ts';

const setting = 'kube-scheduler-arg';
/** A flag, and where it is in a KubeSchedulerConfiguration. */
const overlooked: Readonly<Record<string, (flag: Flag) => Partial<Configuration>>> = {
  kubeconfig: ({ value }) => ({ clientConnection: { kubeconfig: value } }),
  'kube-api-content-type': ({ value }) => ({ clientConnection: { contentType: value } }),
  'kube-api-qps': ({ value }) => ({ clientConnection: { qps: Number(value) } }),
  'kube-api-burst': ({ value }) => ({ clientConnection: { burst: Number(value) } }),
  profiling: (flag) => ({ enableProfiling: truthOf(setting, flag) }),
  'contention-profiling': (flag) => ({ enableContentionProfiling: truthOf(setting, flag) }),
};

interface Configuration {
  readonly clientConnection?: Readonly<Record<string, unknown>>;
  readonly leaderElection?: { readonly leaderElect?: unknown };
  readonly enableProfiling?: unknown;
  readonly enableContentionProfiling?: unknown;
}

/**
 * kube-scheduler overlooks some flags beside `config`, the one for its kubeconfig among them: they are written into a copy of
 * the operator's file, where it does not say it itself.
 * @throws {UnreadableConfigError} @throws {ComponentArgumentError}
 * @see Kubernetes v1.37 cmd/kube-scheduler/app/options/options.go, ApplyTo
 */
export function schedulerArguments(
  ours: Flags,
  theirs: readonly Flag[],
  copy: { readonly path: string; readonly give: Account['give'] },
): { readonly ours: Flags; readonly theirs: readonly Flag[] } {
  const path = valueOf(theirs, 'config');
  if (path === undefined) return { ours, theirs };
  const file = parseYaml(path, readConfigText(path, true)).toJS();
  if (typeof file !== 'object' || file === null || Array.isArray(file))
    throw new UnreadableConfigError(path, 'it is no KubeSchedulerConfiguration');
  const said = file as Configuration;
  const own = Object.entries(ours).map(([name, value]) => ({ name, value }));
  const layers = [...partsOf(own), said, ...partsOf(theirs)];
  const merged: Configuration = {
    ...Object.assign({}, ...layers),
    clientConnection: Object.assign({}, ...layers.map(({ clientConnection = {} }) => saidIn(clientConnection))),
  };
  writeFileIfChanged(copy.path, `${JSON.stringify(merged)}\n`, 0o600);
  const isPassed = (name: string) => name !== 'config' && !Object.hasOwn(overlooked, name);
  const leader = said.leaderElection?.leaderElect === undefined ? [] : ['leader-elect']; // a flag would win over the file
  const passed = Object.entries(ours).filter(([name]) => isPassed(name) && !leader.includes(name));
  return {
    ours: { ...Object.fromEntries(passed), config: copy.give(copy.path) },
    theirs: theirs.filter(({ name }) => isPassed(name)),
  };
}

function partsOf(flags: readonly Flag[]): readonly Partial<Configuration>[] {
  return flags.flatMap((flag) => {
    const part = Object.hasOwn(overlooked, flag.name) ? overlooked[flag.name] : undefined;
    return part === undefined ? [] : [part(flag)];
  });
}

/** What `--write-config-to` leaves empty says nothing. */
function saidIn(connection: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(connection).filter(([, value]) => value !== '' && value !== null));
}
