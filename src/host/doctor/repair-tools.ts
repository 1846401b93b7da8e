import { existsSync, statSync, writeFileSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeFolder, writeFileAtomicSync } from '../../shared/files/files.ts';
import type { UndoLog } from '../undo-log/undo-log.ts';
import { currentBoot } from '../checks/checks.ts';
import type { HostRoot } from '../checks/checks.ts';
import type { Tools } from './tools.ts';
import { FixFailedError } from './errors.ts';

/** What a repair works with: each thing is noted in the undo log before it is done. */
export interface RepairTools {
  /** @param mode of a file that is not there yet */
  writeFile(path: string, content: string, mode?: number): void;
  /** @param name `net/ipv4/ip_forward` */
  setSysctl(name: string, value: string): void;
  /** Lives until a reboot, and needs no undoing. */
  loadModule(module: string): Promise<void>;
  /** Argument vectors; `undo` is what uninstalling runs. @throws {FixFailedError} */
  run(command: readonly string[], undo: readonly string[]): Promise<void>;
}

export function createRepairTools(options: {
  readonly root: HostRoot;
  readonly undoLog: Pick<UndoLog, 'record'>;
  readonly tools: Pick<Tools, 'run'>;
}): RepairTools {
  const { root, undoLog, tools } = options;
  const run = async ([command = '', ...args]: readonly string[]): Promise<void> => {
    const { code } = await tools.run(command, ...args);
    if (code !== 0) throw new FixFailedError([command, ...args].join(' '), code);
  };
  return {
    writeFile(absolute, content, mode = 0o644) {
      const path = root.path(absolute);
      const before = existsSync(path) ? { content: readFileSync(path), mode: statSync(path).mode & 0o777 } : undefined;
      undoLog.record({
        kind: 'file',
        path,
        ...(before !== undefined && { before: before.content.toString('base64'), mode: before.mode }),
      });
      makeFolder(dirname(path), 0o755);
      writeFileAtomicSync(path, content, before?.mode ?? mode);
    },
    setSysctl(name, value) {
      const path = `/proc/sys/${name}`;
      const before = root.read(path)?.trim();
      if (before === undefined) return; // of a module that is not loaded; the file for the next boot has it
      undoLog.record({ kind: 'sysctl', name, before, bootId: currentBoot(root) });
      writeFileSync(root.path(path), value);
    },
    loadModule: (module) => run(['modprobe', module]),
    async run(command, undo) {
      undoLog.record({ kind: 'command', what: command.join(' '), undo: [...undo] });
      await run(command);
    },
  };
}
