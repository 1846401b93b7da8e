/**
 * Flags that upstream keeps in variables of the whole process: a program that the operator gives one of them would give it to
 * every other part of its process.
 * @see docs/decisions/0035-processes.md, which says where each is kept
 */
const processWide: ReadonlySet<string> = new Set([
  // What the programs can do, and which version they behave as: one gate and one registry a process.
  'feature-gates',
  'emulated-version',
  'emulation-forward-compatible',
  'min-compatibility-version',
  'runtime-config-emulation-forward-compatible',
  // The log: verbosity is klog's, the format that of its one logger. Those that begin with `log-` are with them.
  'v',
  'vmodule',
  'logging-format',
  // Which metrics there are: of every registry.
  'show-hidden-metrics-for-version',
  'disabled-metrics',
  'allow-metric-labels',
  'allow-metric-labels-manifest',
  // What is measured is the process, and contention costs all of it.
  'profiling',
  'contention-profiling',
  'tracing-config-file',
  // Who loses the lease ends its process, by design.
  'leader-elect',
  // Of the kernel's process.
  'max-open-files',
  'oom-score-adj',
]);

const logging = /^log-/;

/** The first of the operator's flags for which a program has to be a process of its own. */
export function processWideFlag(theirs: readonly { readonly name: string }[]): string | undefined {
  return theirs.find(({ name }) => processWide.has(name) || logging.test(name))?.name;
}

/** The same in a configuration file, by the names of its fields. */
const processWideFields = [
  'featureGates',
  'logging',
  'showHiddenMetricsForVersion',
  'enableProfiling',
  'enableContentionProfiling',
  'tracing',
  'maxOpenFiles',
  'oomScoreAdj',
];

export function processWideField(configuration: object): string | undefined {
  return processWideFields.find((name) => Object.hasOwn(configuration, name));
}
