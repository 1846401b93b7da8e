import { expect, onTestFinished, test, vi } from 'vitest';
import { print } from '../../../src/cli/options.ts';

test('what is printed acts on no terminal, whoever said it', () => {
  const written = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  onTestFinished(() => written.mockRestore());
  print('NAME\tSTATE\na   \u001b[2J\u009b1m');
  const [said] = written.mock.lastCall ?? [];
  expect(said).toBe('NAME\tSTATE\na   \\u001b[2J\\u009b1m\n');
});
