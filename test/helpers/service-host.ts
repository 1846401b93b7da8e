import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { hostAt } from '../../src/host/service/service.ts';
import type { ServiceHost } from '../../src/host/service/service.ts';
import { temporaryDir } from './temporary.ts';

export interface FakeHost extends ServiceHost {
  /** Every command, as one line each. */
  readonly commands: string[];
}

/** What a command that begins so prints. */
type Answers = Readonly<Record<string, string>>;

/** Every command ends well, and prints nothing. */
export const anyCommand: Answers = { '': '' };

/** A host in a folder of the test's own whose commands answer as told; those that are not named are not there. */
export function fakeHost(answers: Answers, ...files: readonly (readonly [string, string])[]): FakeHost {
  const host = hostAt(temporaryDir());
  for (const [path, content] of files) {
    mkdirSync(dirname(host.path(path)), { recursive: true });
    writeFileSync(host.path(path), content);
  }
  const commands: string[] = [];
  return {
    ...host,
    commands,
    async run(command, args) {
      const line = [command, ...args].join(' ');
      commands.push(line);
      if (command === 'cat') return host.run(command, args);
      const answer = Object.entries(answers).find(([start]) => line.startsWith(start));
      return answer === undefined ? { code: 127, output: '' } : { code: 0, output: `${answer[1]}\n` };
    },
    launch: (command, args) => void commands.push(`launched: ${[command, ...args].join(' ')}`),
  };
}
