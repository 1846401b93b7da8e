/** What a server says to an agent acts on no terminal either. */
import { expect, test } from 'vitest';
import * as agent from '../../../src/agent/membership/membership.ts';
import { KagentError } from '../../../src/shared/errors.ts';
import { closeCodes } from '../../../src/shared/protocol/channel.ts';
import { agentChannel, channelServer } from '../../helpers/channel-server.ts';
import { joinServer, nodeJoin } from '../../helpers/join-server.ts';
import { eventually } from '../../helpers/wait.ts';

const escape = '\u001b]0;owned\u0007';

class HostileError extends KagentError {
  readonly code = 'TOKEN_WRONG';
  readonly fault = 'peer';
  override readonly httpStatus = 401;
}

test('why a join is refused', async () => {
  const refuse = () => Promise.reject(new HostileError(escape));
  const server = await joinServer({
    api: { joinService: { authenticate: refuse, authenticateServer: refuse, join: refuse } },
  });
  const joining = agent.join(nodeJoin(server, { nodeName: 'a' }), new AbortController().signal);
  await expect(joining).rejects.toThrow(`${server.url} refuses: \\u001b]0;owned\\u0007`);
});

test('why a connection is ended', async () => {
  const server = await channelServer();
  const isTold = Promise.withResolvers<void>();
  const canGoOn = Promise.withResolvers<void>();
  // Held there, the agent does not connect again before its words are read.
  const onNotJoined = () => {
    isTold.resolve();
    return canGoOn.promise;
  };
  const channel = await agentChannel(await server.identity('a'), server.url, { onNotJoined });
  const session = await eventually(() => server.nodes.session('a'));
  session.close(closeCodes.notJoined, escape);
  await isTold.promise;
  const { message } = channel.health();
  canGoOn.resolve();
  expect(message).toBe(`${server.url}: \\u001b]0;owned\\u0007`);
});
