import { existsSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { isExecutable, readFileIfExists, writeFileAtomicSync } from '../../shared/files/files.ts';
import type { ServiceHost } from './host.ts';
import { shellQuote } from './quote.ts';

const cronPrograms = ['/usr/sbin/cron', '/usr/sbin/crond', '/usr/bin/crond', '/usr/sbin/fcron'];

/** Start at boot without a service manager: a line in /etc/rc.local where that is run, else cron's `@reboot`. */
export function bootHook(host: ServiceHost) {
  const rcLocal = host.path('/etc/rc.local');
  const cronFile = (name: string): string => host.path(`/etc/cron.d/${name}`);
  const mark = (name: string): string => `# kagent's installer: ${name}`;
  const isOurs = (name: string) => (line: string) => line.endsWith(mark(name));
  return {
    async add(name: string, script: string): Promise<string> {
      const start = `/bin/sh ${shellQuote(script)} >/dev/null 2>&1`;
      if (isExecutable(rcLocal)) {
        const lines = (readFileIfExists(rcLocal) ?? '').split('\n');
        // Not waited for: the boot continues, and rc.local's `set -e` does not end at it.
        if (!lines.some(isOurs(name))) rewrite(rcLocal, beforeExit(lines, `${start} & ${mark(name)}`));
        return '/etc/rc.local starts it at boot';
      }
      if (existsSync(host.path('/etc/cron.d')) && cronPrograms.some((path) => existsSync(host.path(path)))) {
        writeFileAtomicSync(cronFile(name), `@reboot root ${start} ${mark(name)}\n`, 0o644);
        return 'cron starts it at boot';
      }
      return `nothing here starts it at boot (no systemd, OpenRC, /etc/rc.local or cron): run ${script}`;
    },
    async remove(name: string): Promise<void> {
      const lines = (readFileIfExists(rcLocal) ?? '').split('\n');
      if (lines.some(isOurs(name))) {
        rewrite(
          rcLocal,
          lines.filter((line) => !isOurs(name)(line)),
        );
      }
      if (readFileIfExists(cronFile(name))?.includes(mark(name)) === true) await rm(cronFile(name));
    },
  };
}

/** One line more and nothing else, so that taking it away gives the file its bytes back. */
function beforeExit(lines: readonly string[], added: string): readonly string[] {
  const exit = lines.findLastIndex((line) => /^exit\b/.test(line));
  const end = lines.at(-1) === '' ? lines.length - 1 : lines.length; // after a last line break is no line
  return lines.toSpliced(exit < 0 ? end : exit, 0, added);
}

function rewrite(path: string, lines: readonly string[]): void {
  writeFileAtomicSync(path, lines.join('\n'), statSync(path).mode & 0o777);
}
