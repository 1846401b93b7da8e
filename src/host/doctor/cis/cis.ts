/** `kagent doctor --cis`: the items of the CIS Kubernetes Benchmark, on this box. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { askStatus } from '../../daemon/daemon.ts';
import { readFileIfExists } from '../../../shared/files/files.ts';
import { runPaths } from '../../../shared/paths.ts';
import type { Paths } from '../../../shared/paths.ts';
import { controlPlaneItems } from './control-plane.ts';
import { lookAt } from './item.ts';
import type { CisHost, CisItem, CisResult } from './item.ts';
import { workerItems } from './worker.ts';

export const cisItems: readonly CisItem[] = [...controlPlaneItems, ...workerItems];

export function examineCis(host: CisHost): readonly CisResult[] {
  return cisItems.map((item) => lookAt(item, host));
}

/** This box, as its children run and as its files are. */
export async function cisHost(paths: Paths): Promise<CisHost> {
  const running = await askStatus(runPaths.statusSocket).catch(() => undefined);
  const wordsOf = new Map(
    (running?.components ?? []).flatMap(({ name, args, pid }) => {
      // Of a kagent that does not say: its children were processes with flags of their own.
      const cmdline = args === undefined && pid !== undefined ? readFileIfExists(`/proc/${pid}/cmdline`) : undefined;
      const words = args ?? cmdline?.split('\0');
      return words === undefined ? [] : [[name, words] as const];
    }),
  );
  const kubelet = JSON.parse(readFileIfExists(join(paths.agent.etc, 'kubelet.json')) ?? '{}') as Record<
    string,
    unknown
  >;
  const flag: CisHost['flag'] = (component, name) => {
    const word = wordsOf.get(component)?.findLast((one) => one.startsWith(`--${name}=`));
    if (word !== undefined) return word.slice(name.length + 3);
    return name === 'authorization-mode' ? modesIn(flag(component, 'authorization-config')) : undefined;
  };
  return {
    paths,
    isRunning: (component) => wordsOf.has(component),
    flag,
    kubelet: (key) => kubelet[key],
    files: (wanted) =>
      wanted.flatMap((path) => {
        const there = statSync(path, { throwIfNoEntry: false });
        return there === undefined ? [] : [{ path, mode: there.mode & 0o777, uid: there.uid }];
      }),
    filesBelow: (dir, ...suffixes) =>
      namesBelow(dir)
        .filter((name) => suffixes.some((suffix) => name.endsWith(suffix)))
        .map((name) => join(dir, name)),
  };
}

/** As `--authorization-mode` has them. @param path of an AuthorizationConfiguration */
function modesIn(path: string | undefined): string | undefined {
  const text = path === undefined ? undefined : readFileIfExists(path);
  if (text === undefined) return undefined;
  const { authorizers } = JSON.parse(text) as { readonly authorizers: readonly { readonly type: string }[] };
  return authorizers.map(({ type }) => type).join(',');
}

function namesBelow(dir: string): readonly string[] {
  try {
    return readdirSync(dir, { recursive: true, encoding: 'utf8' });
  } catch {
    return []; // it is not there
  }
}

const marks = { pass: 'pass  ', fail: 'FAIL  ', manual: 'manual', 'not applicable': 'n/a   ' } as const;

/** A line each, and what to do below those that fail. */
export function cisText(results: readonly CisResult[]): string {
  const lines = results.flatMap(({ id, title, state, why, next }) => [
    `${marks[state]}  ${id.padEnd(7)}${title}: ${why}`,
    ...(next === undefined ? [] : [`                 → ${next}`]),
  ]);
  const count = (state: CisResult['state']) => results.filter((one) => one.state === state).length;
  const counts = `${count('pass')} pass, ${count('fail')} fail, ${count('manual')} to be checked by hand, ${count('not applicable')} not applicable`;
  return `${lines.join('\n')}\n\n${counts}`;
}

export type { CisHost, CisItem, CisResult } from './item.ts';
