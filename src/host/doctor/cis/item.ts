import type { Paths } from '../../../shared/paths.ts';

/** `manual`: what it asks for is not to be seen on a box. */
export type CisState = 'pass' | 'fail' | 'manual' | 'not applicable';

/** How an item comes to pass: as kagent is, with `--profile cis`, or not by kagent. */
export type CisBy = 'default' | 'profile' | 'not there' | 'yours' | 'not applicable';

/** What is checked; a test passes another. */
export interface CisHost {
  readonly paths: Paths;
  /** Of a child that runs; undefined: it does not have this flag. */
  flag(component: string, name: string): string | undefined;
  isRunning(component: string): boolean;
  /** A key of the kubelet's configuration. */
  kubelet(key: string): unknown;
  /** Mode and owner of what is there of these files and folders. */
  files(paths: readonly string[]): readonly CisFile[];
  /** Whatever is below, by the ends of names. */
  filesBelow(dir: string, ...suffixes: readonly string[]): readonly string[];
}

export interface CisFile {
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
}

export interface CisItem {
  readonly id: string;
  /** The benchmark's, in fewer words. */
  readonly title: string;
  readonly by: CisBy;
  readonly why: string;
  /** What to do where it fails, if there is something. */
  readonly next?: string | undefined;
  /** undefined: by `by` alone. A sentence says what is wrong. */
  readonly look?: (host: CisHost) => string | undefined;
  /** What must be there for it to be checked. */
  readonly files?: (host: CisHost) => readonly string[];
  /** What must run for it to be checked. */
  readonly of?: string;
}

export interface CisResult extends Pick<CisItem, 'id' | 'title' | 'why' | 'next'> {
  readonly state: CisState;
}

export function lookAt(item: CisItem, host: CisHost): CisResult {
  const { id, title, why, by, next, look, of, files } = item;
  const said = (state: CisState, reason = why): CisResult => ({
    id,
    title,
    state,
    why: reason,
    next: state === 'fail' ? (next ?? (by === 'profile' ? profileNext : undefined)) : undefined,
  });
  if (of !== undefined && !host.isRunning(of)) return said('not applicable', `${of} does not run here`);
  if (files !== undefined && host.files(files(host)).length === 0)
    return said('not applicable', 'nothing of it is here');
  if (look !== undefined) {
    const problem = look(host);
    return problem === undefined ? said('pass') : said('fail', problem);
  }
  if (by === 'not applicable') return said('not applicable');
  return said(by === 'not there' ? 'fail' : by === 'yours' ? 'manual' : 'pass');
}

const profileNext = 'start kagent with --profile cis, or put `profile: cis` into config.yaml';

type Basics = Pick<CisItem, 'id' | 'title' | 'why'>;

export function modeAtMost(most: number, item: Basics, of: (host: CisHost) => readonly string[]): CisItem {
  return {
    ...item,
    by: 'default',
    files: of,
    next: `chmod ${most.toString(8)} these files`,
    look(host) {
      const open = host.files(of(host)).filter(({ mode }) => (mode & ~most & 0o777) !== 0);
      return open.length === 0
        ? undefined
        : open.map(({ path, mode }) => `${path} has mode ${mode.toString(8)}`).join('; ');
    },
  };
}

export function ownedByRoot(item: Basics, of: (host: CisHost) => readonly string[]): CisItem {
  return {
    ...item,
    by: 'default',
    files: of,
    next: 'chown root: these files',
    look(host) {
      const others = host.files(of(host)).filter(({ uid }) => uid !== 0);
      return others.length === 0 ? undefined : `not root's: ${others.map(({ path }) => path).join(', ')}`;
    },
  };
}

/** @param fits the value, undefined where the flag is not given */
export function flagFits(
  component: string,
  name: string,
  item: Basics & { readonly by?: CisBy; readonly next?: string },
  fits: (value: string | undefined) => boolean,
): CisItem {
  return {
    by: 'default',
    ...item,
    of: component,
    look(host) {
      const value = host.flag(component, name);
      return fits(value) ? undefined : `--${name} ${value === undefined ? 'is not given' : `is ${value}`}`;
    },
  };
}

export function kubeletFits(
  key: string,
  item: Basics & { readonly by?: CisBy; readonly next?: string },
  fits: (value: unknown) => boolean,
): CisItem {
  return {
    by: 'default',
    ...item,
    of: 'kubelet',
    look(host) {
      const value = host.kubelet(key);
      return fits(value) ? undefined : `${key} ${value === undefined ? 'is not set' : `is ${JSON.stringify(value)}`}`;
    },
  };
}

export function stated(id: string, title: string, by: CisBy, why: string, next?: string): CisItem {
  return { id, title, by, why, next };
}

/** True of a program of kagent's by what it is; where the program does not run nothing is. */
export function statedOf(component: string, ...item: Parameters<typeof stated>): CisItem {
  return { ...stated(...item), of: component };
}
