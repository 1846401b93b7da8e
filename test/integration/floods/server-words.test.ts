/** What a server says to an agent acts on no terminal either. */
import { expect, test } from 'vitest';
import * as agent from '../../../src/agent/join/join.ts';
import { KagentError } from '../../../src/shared/errors.ts';
import { silentLog } from '../../../src/shared/log/log.ts';
import { pathsOf } from '../../../src/shared/paths.ts';
import { agentChannel, channelServer } from '../../helpers/channel-server.ts';
import { joinServer } from '../../helpers/join-server.ts';
import { temporaryDir } from '../../helpers/temporary.ts';
import { eventually } from '../../helpers/wait.ts';

const escape = '\u001b]0;owned\u0007';

class HostileError extends KagentError {
  readonly code = 'TOKEN_WRONG';
  readonly fault = 'peer';
}

test('why a join is refused', async () => {
  const refuse = () => Promise.reject(new HostileError(escape));
  const { url, tokens } = await joinServer({ api: { joinDoor: { authenticate: refuse, join: refuse } } });
  const joining = agent.join(
    {
      url,
      token: tokens.agentToken,
      nodeName: 'a',
      addresses: ['10.0.0.5'],
      paths: pathsOf(temporaryDir()),
      version: '1',
      kubernetesVersion: 'v1.37.1',
      log: silentLog,
    },
    new AbortController().signal,
  );
  await expect(joining).rejects.toThrow(`${url} refuses: \\u001b]0;owned\\u0007`);
});

test('why a connection is ended', async () => {
  const server = await channelServer();
  const channel = await agentChannel(await server.identity('a'), server.url);
  const session = await eventually(() => server.nodes.session('a'));
  session.close(4000, escape);
  await eventually(() => channel.health().message.includes('owned'));
  expect(channel.health().message).toBe(`${server.url}: \\u001b]0;owned\\u0007`);
});
