/** Who guesses tokens is as slow with many at once, and with a good one in between, as one after another. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { loopbacks } from '../../helpers/attackers.ts';
import { joinServer } from '../../helpers/join-server.ts';

async function join(url: string, token: string, localAddress: string): Promise<string> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const asked = request(`${url}/v1/join`, {
    method: 'POST',
    headers,
    localAddress,
    rejectUnauthorized: false,
    agent: false,
  });
  asked.end('{}');
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  return (JSON.parse(await text(response)) as { readonly code: string }).code;
}

/** A bootstrap token's form: the datastore is asked, which takes its time. */
const guess = (index: number) => `abcdef.${String(index).padStart(16, '0')}`;

test('of a hundred guesses at once hardly more than five are looked at', async () => {
  const seen: string[] = [];
  const { url } = await joinServer({ onSecret: (secret) => seen.push(secret) });
  const [address = ''] = loopbacks(1);
  const codes = await Promise.all(Array.from({ length: 100 }, (_, index) => join(url, guess(index), address)));
  expect(seen.length).toBeGreaterThanOrEqual(5);
  expect(seen.length).toBeLessThan(10); // one more each time the wait is over
  expect(codes.filter((code) => code === 'TOO_MANY_ATTEMPTS')).toHaveLength(100 - seen.length);
  expect(await join(url, 's3cret', '127.0.0.1')).toBe('API_BODY_INVALID'); // its token was good
});

test('whoever knows one token does not get to guess another by showing it in between', async () => {
  const seen: string[] = [];
  const { url } = await joinServer({ onSecret: (secret) => seen.push(secret) });
  const [address = ''] = loopbacks(1);
  for (let index = 0; index < 10; index++) {
    await join(url, guess(index), address);
    await join(url, 's3cret', address);
  }
  expect(seen.filter((secret) => secret !== 's3cret').length).toBeLessThanOrEqual(6);
});
