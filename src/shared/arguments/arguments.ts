/**
 * @module
 * The command line of a Kubernetes program: kagent's own flags, and what the operator adds by `--kubelet-arg` and its like.
 * Knows: what becomes of a flag that both have. Leaves to others: which flags a program needs, and the rules of each
 * (server/control-plane, agent/node).
 */
export { processWideField, processWideFlag } from './process-wide.ts';
import { KagentError } from '../errors.ts';
import { wrongUsageExitCode } from '../exit-codes.ts';

/** What kagent passes to a Kubernetes program: flag name without dashes → value. */
export type Flags = Readonly<Record<string, string>>;

export interface Flag {
  readonly name: string;
  readonly value: string;
}

/**
 * What becomes of an operator's flag that is not simply passed in place of kagent's:
 * - `refused`, unless it asks for what kagent passes anyway: kagent would not know, or the program would not run;
 * - `merged` with kagent's value;
 * - `alone`: kagent leaves out flags of its own that the program does not take beside it;
 * - `written` into a file of kagent's, since the program would overlook or refuse the flag beside that file.
 * The texts are for docs and messages.
 */
export type FlagRule =
  | {
      readonly becomes: 'refused';
      readonly instead: string;
      /** Whether this value is; every one unless said. */
      readonly when?: (value: string) => boolean;
    }
  | {
      readonly becomes: 'merged';
      readonly how: string;
      /** @returns the values to pass, each with a flag of its own */
      readonly merge: (ours: string, theirs: readonly string[], all: readonly Flag[]) => readonly string[];
    }
  | { readonly becomes: 'alone'; readonly without: readonly string[] }
  | { readonly becomes: 'written'; readonly how: string };

export type FlagRules = Readonly<Record<string, FlagRule>>;

export class ComponentArgumentError extends KagentError {
  readonly code = 'CONFIG_COMPONENT_ARGUMENT';
  readonly fault = 'operator';
  override readonly exitCode = wrongUsageExitCode;
  /** @param setting `kubelet-arg` */
  constructor(setting: string, flag: string, instead: string) {
    super(`${setting} '${flag}' cannot be set: ${instead}`);
  }
}

/** The operator's `name=value`: dashes before the name do not matter, and a name without a value means `true`, as upstream. */
export function flagsOf(args: readonly string[]): readonly Flag[] {
  return args.map((text) => {
    const bare = text.replace(/^-+/, '');
    const at = bare.indexOf('=');
    const name = at < 0 ? bare : bare.slice(0, at);
    return { name: name.replaceAll('_', '-'), value: at < 0 ? 'true' : bare.slice(at + 1) };
  });
}

/** The last one counts, as with every flag that is no list. */
export function valueOf(flags: readonly Flag[], name: string): string | undefined {
  return flags.findLast((flag) => flag.name === name)?.value;
}

/** @throws {ComponentArgumentError} for the first flag that is refused and asks for something else than `ours` */
export function checkArguments(options: {
  /** `kubelet-arg` */
  readonly setting: string;
  readonly args: readonly string[];
  readonly rules: FlagRules;
  readonly ours?: Flags;
}): void {
  const { setting, args, rules, ours = {} } = options;
  for (const { name, value } of flagsOf(args)) {
    const rule = ruleOf(rules, name);
    if (rule?.becomes !== 'refused' || ours[name] === value || rule.when?.(value) === false) continue;
    throw new ComponentArgumentError(setting, `${name}=${value}`, rule.instead);
  }
}

/** As Go reads it. */
export function isFalse(value: string): boolean {
  return /^(0|f|F|FALSE|false|False)$/.test(value);
}

/** A flag's truth, as Go reads it. @throws {ComponentArgumentError} */
export function truthOf(setting: string, { name, value }: Flag): boolean {
  if (/^(1|t|T|TRUE|true|True)$/.test(value)) return true;
  if (isFalse(value)) return false;
  throw new ComponentArgumentError(setting, `${name}=${value}`, 'it is true or false');
}

/**
 * The command line: ours, then the operator's, each in place of ours of the same name unless a rule says otherwise. A name
 * given twice is passed twice, which is how these programs take lists.
 */
export function commandLine(ours: Flags, theirs: readonly Flag[], rules: FlagRules): readonly string[] {
  const isReplaced = (name: string) =>
    theirs.some((flag) => {
      if (flag.name === name) return true;
      const rule = ruleOf(rules, flag.name);
      return rule?.becomes === 'alone' && rule.without.includes(name);
    });
  const merged = new Set<string>();
  const operators = theirs.flatMap(({ name, value }) => {
    const rule = ruleOf(rules, name);
    const own = ours[name];
    if (rule?.becomes !== 'merged' || own === undefined) return [{ name, value }];
    if (merged.has(name)) return [];
    merged.add(name);
    const values = theirs.filter((flag) => flag.name === name).map((flag) => flag.value);
    return rule.merge(own, values, theirs).map((one) => ({ name, value: one }));
  });
  const kept = Object.entries(ours).flatMap(([name, value]) => (isReplaced(name) ? [] : [{ name, value }]));
  return [...kept, ...operators].map(({ name, value }) => `--${name}=${value}`);
}

function ruleOf(rules: FlagRules, name: string): FlagRule | undefined {
  return Object.hasOwn(rules, name) ? rules[name] : undefined;
}

/** Lists of settings, in which a later one wins: both are passed. */
export const both: FlagRule = {
  becomes: 'merged',
  how: "added to kagent's, and wins over it",
  merge: (ours, theirs) => [ours, ...theirs],
};

/** What every one of these programs has beside its work: it would do that and end. */
export const endingFlags: FlagRules = {
  help: {
    becomes: 'refused',
    instead: 'the program would print its help and exit; docs/component-args.md lists the flags',
  },
  version: { becomes: 'refused', instead: "the program would print its version and exit; 'kagent version' prints it" },
};
