import { httpsAgent, httpRequest } from '../../shared/http/http.ts';
import type { Paths } from '../../shared/paths.ts';
import { drainPath, DrainResponse } from '../../shared/protocol/drain.ts';
import type { DrainRequest } from '../../shared/protocol/drain.ts';
import { Refusal } from '../../shared/protocol/refusal.ts';
import { DrainRefusedError, NotJoinedError, ServersAwayError } from './errors.ts';
import { shownIdentity, storedServers } from './identity.ts';
import { jsonIfValid } from '../../shared/json/json.ts';

/** The server needs some time beyond what it gives the pods. */
const graceMs = 15_000;

/**
 * Has a server move this node's pods away, by showing the node's certificate; the first server that is reached does it.
 * @throws {NotJoinedError} @throws {DrainRefusedError} @throws {ServersAwayError}
 */
export async function requestDrain(paths: Paths, request: DrainRequest): Promise<DrainResponse> {
  const urls = storedServers(paths);
  if (urls.length === 0) throw new NotJoinedError();
  const { caPem, proof } = shownIdentity(paths);
  const agent = httpsAgent({ ca: caPem, ...proof });
  const body = JSON.stringify(request);
  const headers = { 'content-type': 'application/json' };
  const timeoutMs = request.timeoutMs + graceMs;
  let failure: unknown;
  try {
    for (const url of urls) {
      try {
        const reply = await httpRequest({ url: url + drainPath, method: 'POST', headers, body, agent, timeoutMs });
        if (reply.status === 200) return DrainResponse.parse(JSON.parse(reply.body));
        const refusal = Refusal.safeParse(jsonIfValid(reply.body));
        throw new DrainRefusedError(url, refusal.data ?? { detail: `it answers ${reply.status}` });
      } catch (error) {
        if (error instanceof DrainRefusedError) throw error;
        failure = error;
      }
    }
  } finally {
    agent.destroy();
  }
  throw new ServersAwayError(urls, failure);
}
