import { expect, test } from 'vitest';
import { AgentConfig } from '../../../src/agent/config.ts';
import { tokenCommand } from '../../../src/server/token-commands.ts';
import { ServerOnlyConfig } from '../../../src/server/config.ts';
import { secretFlagsOf } from '../../../src/cli/cli.ts';
import { everySetting } from '../../../src/shared/config/config.ts';
import { hideSecrets, restoreSecrets, takeSecrets } from '../../../src/shared/secret-arguments.ts';

const flags = [{ long: '--token', short: '-t' }, { long: '--agent-token' }, { long: '--new-token' }];
const pinned = `K10${'0'.repeat(64)}::abcdef.0123456789abcdef`;

test.each([
  [
    ['server', '--token', 'x', '--agent-token=y'],
    ['server', '--token', '[redacted]', '--agent-token=[redacted]'],
  ],
  [
    ['agent', '-t', 'x', '--url', 'u'],
    ['agent', '-t', '[redacted]', '--url', 'u'],
  ],
  [
    ['agent', '-tx'],
    ['agent', '-t[redacted]'],
  ],
  [
    ['token', 'rotate', '-t', 'x', '--new-token', '-t'],
    ['token', 'rotate', '-t', '[redacted]', '--new-token', '[redacted]'],
  ],
  [
    ['token', 'delete', pinned, 'abcdef'],
    ['token', 'delete', '[redacted]', 'abcdef'],
  ],
  [
    ['lab', 'exec', 's1', '--', 'kubectl', 'exec', '-t', 'web'],
    ['lab', 'exec', 's1', '--', 'kubectl', 'exec', '-t', '[redacted]'],
  ],
  [
    ['server', '--token-file', '/etc/token'],
    ['server', '--token-file', '/etc/token'],
  ],
  [
    ['server', '--token'],
    ['server', '--token'],
  ],
])('of %j the kernel shows %j, and the process knows all of it', (given, shown) => {
  const { args, secrets } = hideSecrets(given, flags);
  expect(args).toEqual(shown);
  expect(restoreSecrets(args, secrets)).toEqual(given);
  expect(hideSecrets(args, flags).secrets).toEqual([]); // so that a process replaces itself once
});

test('what an installer takes out of flags is what the environment says', () => {
  const taken = takeSecrets(['server', '--agent-token=y=z', '--node-name', 'a', '-t', 'x', '--debug'], flags);
  expect(taken).toEqual({
    args: ['server', '--node-name', 'a', '--debug'],
    env: { KAGENT_TOKEN: 'x', KAGENT_AGENT_TOKEN: 'y=z' },
  });
});

test('each setting that sounds like a secret is one, or is the name of a file', () => {
  const sounding = [AgentConfig, ServerOnlyConfig]
    .flatMap(everySetting)
    .filter(({ key }) => /token|password|secret|passphrase/.test(key) && !/-(file|dir|config)$/.test(key))
    .filter((setting) => !('accepts' in setting));
  expect(sounding.length).toBeGreaterThanOrEqual(3);
  expect(sounding.filter(({ isSecret }) => !isSecret)).toEqual([]);
});

test('the tokens of `kagent token rotate` are secrets', () => {
  expect(secretFlagsOf(tokenCommand()).map(({ long }) => long)).toEqual(['--token', '--new-token']);
});
