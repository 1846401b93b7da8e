import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ComponentArgumentError,
  processWideField,
  processWideFlag,
  valueOf,
} from '../../shared/arguments/arguments.ts';
import type { Flag } from '../../shared/arguments/arguments.ts';
import { parseYaml } from '../../shared/config/config.ts';
import { systemCode } from '../../shared/errors.ts';
import { makeFolder } from '../../shared/files/files.ts';
import { listeningAt } from '../../shared/listen/listen.ts';
import type { Asked } from './healthz.ts';

const setting = 'kubelet-arg';

/**
 * The folder of KubeletConfigurations that the kubelet reads after kagent's own, later ones winning: the operator's folder, or
 * copies of all there are where `config` and `config-dir` name others beside it.
 * @param composed where the copies are
 * @throws {ComponentArgumentError} for a file or folder that cannot be read
 */
export function dropInDir(theirs: readonly Flag[], operators: string, composed: string): string {
  rmSync(composed, { recursive: true, force: true });
  const file = valueOf(theirs, 'config');
  const dir = valueOf(theirs, 'config-dir');
  if (file === undefined && dir === undefined) return operators;
  const texts = [
    ...(file === undefined ? [] : [reading(`config=${file}`, () => readFileSync(file))]),
    ...readAll(operators),
    ...(dir === undefined ? [] : reading(`config-dir=${dir}`, () => readAll(dir))),
  ];
  makeFolder(composed, 0o700);
  for (const [index, text] of texts.entries())
    writeFileSync(join(composed, `${String(index).padStart(4, '0')}.conf`), text, { mode: 0o600 });
  return composed;
}

/**
 * Where the kubelet says that it is healthy, after all files and flags.
 * @param own what kagent's own configuration says
 */
export function kubeletHealthz(own: Asked, dropIns: string, theirs: readonly Flag[]): Asked {
  let { host, port } = own;
  for (const text of readAll(dropIns)) {
    const said = configurationIn(text);
    if (typeof said.healthzBindAddress === 'string') host = said.healthzBindAddress;
    if (typeof said.healthzPort === 'number') port = said.healthzPort;
  }
  const address = valueOf(theirs, 'healthz-bind-address') ?? host;
  return { host: listeningAt(address), port: Number(valueOf(theirs, 'healthz-port') ?? port) };
}

/** The first setting of the operator's for which the kubelet has to be a process of its own. */
export function kubeletsOwnSetting(dropIns: string, theirs: readonly Flag[]): string | undefined {
  const fields = readAll(dropIns).map((text) => processWideField(configurationIn(text)));
  return processWideFlag(theirs) ?? fields.find((field) => field !== undefined);
}

/** The kubelet looks into folders below, too. */
function readAll(dir: string): readonly Buffer[] {
  const names = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.conf'));
  return names.toSorted().map((name) => readFileSync(join(dir, name)));
}

function reading<T>(flag: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new ComponentArgumentError(setting, flag, `it cannot be read (${systemCode(error) ?? String(error)})`);
  }
}

interface Healthz {
  readonly healthzBindAddress?: unknown;
  readonly healthzPort?: unknown;
}

/** A file that is not sound says nothing here; the kubelet says what is wrong with it. */
function configurationIn(text: Buffer): Healthz {
  try {
    const said = parseYaml('', text.toString('utf8')).toJS();
    return typeof said === 'object' && said !== null ? said : {};
  } catch {
    return {};
  }
}
