import { fstatSync } from 'node:fs';
import type { LogLevel } from '../../shared/log/log.ts';

/** As syslog counts. @see sd-daemon(3) */
const priorities: Readonly<Record<LogLevel, number>> = { error: 3, warn: 4, info: 6, debug: 7 };

/** What journald wants before a line in order to know how serious it is; nothing where stderr goes elsewhere. */
export function journalPrefix(level: LogLevel, env: Readonly<NodeJS.ProcessEnv> = process.env): string {
  return isJournal(env['JOURNAL_STREAM']) ? `<${priorities[level]}>` : '';
}

/** The variable is inherited by those whose stderr is another file. @see systemd.exec(5), `$JOURNAL_STREAM` */
function isJournal(stream: string | undefined): boolean {
  if (stream === undefined) return false;
  const { dev, ino } = fstatSync(process.stderr.fd);
  return stream === `${dev}:${ino}`;
}
