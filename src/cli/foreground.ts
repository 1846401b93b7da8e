import { writeFileSync } from 'node:fs';
import { createLog, levelOf } from '../shared/log/log.ts';
import type { LogLevel, RootLog } from '../shared/log/log.ts';
import type { Progress } from '../host/daemon/daemon.ts';
import { childLogs } from '../host/process/process.ts';
import type { ChildLog } from '../host/process/process.ts';
import { createNotifier, journalPrefix } from '../host/service/service.ts';
import type { Notifier } from '../host/service/service.ts';
import { progressLine, progressText } from './progress.ts';

/** What a long-running command has to do with whoever started it: a person at a terminal, a service manager, a script. */
export interface Foreground {
  readonly log: RootLog;
  readonly notifier: Notifier;
  /** Aborts at SIGTERM and SIGINT; a second one ends the process at once. */
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
  /** The last screen: for people alone. */
  readonly say: (text: string) => void;
}

export interface ForegroundOptions {
  readonly logLevel: LogLevel;
  readonly logFormat: 'text' | 'json';
  /** Where lines go that a terminal has no room for. */
  readonly logDir: string;
}

/** At a terminal the log goes to a file and a line tells how far the start is; elsewhere the log is the output. */
export function foreground(options: ForegroundOptions): Foreground {
  const { logLevel, logFormat, logDir } = options;
  nameProcess();
  const isTerminal = process.stderr.isTTY;
  const line = progressLine(process.stderr);
  let file: ChildLog | undefined;
  let toldAtMs = 0;
  const write = (text: string) => {
    if (!isTerminal) return void process.stderr.write(`${journalPrefix(levelOf(text))}${text}`);
    file ??= childLogs(logDir, { maxBytes: 10 * 1024 * 1024 }).open('kagent'); // not before there is a data dir
    file.line(text.trimEnd());
    if (!['warn', 'error'].includes(levelOf(text))) return;
    line.clear();
    process.stderr.write(text);
  };
  const log = createLog({ level: logLevel, format: logFormat, write });
  const notifier = createNotifier(process.env, log);
  return {
    log,
    notifier,
    signal: stopSignal(log),
    onProgress(progress) {
      line.show(progress);
      if (progress.elapsedMs - toldAtMs < 1000 || progress.starting.length === 0) return;
      toldAtMs = progress.elapsedMs;
      notifier.status(progressText(progress));
    },
    say(text) {
      line.clear();
      if (process.stdout.isTTY) process.stdout.write(text);
    },
  };
}

/** What `top`, `pgrep` and `systemctl status` call this process; Node's own name for it is that of its first thread. */
function nameProcess(): void {
  try {
    writeFileSync('/proc/self/comm', 'kagent');
  } catch {
    // A name is not worth a failed start.
  }
}

function stopSignal(log: RootLog): AbortSignal {
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(1);
      log.info('stopping', { signal: name });
      stop.abort();
    });
  }
  process.on('SIGHUP', () => {}); // the terminal is gone, the cluster is not
  return stop.signal;
}
