import { expect, test } from 'vitest';
import { createWrongTokens, TooManyAttemptsError } from '../../../../src/server/join/join.ts';
import { fakeClock } from '../../../helpers/clock.ts';

const wrong = () => Promise.resolve(undefined);
const right = () => Promise.resolve('token');

function server() {
  const clock = fakeClock();
  const wrongTokens = createWrongTokens(clock);
  const guess = (address: string) => wrongTokens.attempt(address, wrong);
  return { clock, wrongTokens, guess };
}

async function guesses(count: number) {
  const made = server();
  for (let guess = 0; guess < count; guess++) await made.guess('10.0.0.1').catch(() => {});
  return made;
}

test('a few wrong tokens cost nothing', async () => {
  const { wrongTokens } = await guesses(4);
  expect(await wrongTokens.attempt('10.0.0.1', right)).toEqual({ found: 'token', waitSeconds: 0 });
});

test('after five an address waits, other addresses do not', async () => {
  const { clock, wrongTokens } = await guesses(5);
  await expect(wrongTokens.attempt('10.0.0.1', right)).rejects.toThrow(TooManyAttemptsError);
  expect(await wrongTokens.attempt('10.0.0.2', right)).toMatchObject({ found: 'token' });
  clock.advance(1001);
  expect(await wrongTokens.attempt('10.0.0.1', right)).toMatchObject({ found: 'token' });
});

test('each further one doubles the wait, up to a minute', async () => {
  const { clock, guess } = await guesses(5);
  const waits: number[] = [];
  for (let more = 0; more < 8; more++) {
    clock.advance(60_001);
    waits.push((await guess('10.0.0.1')).waitSeconds);
  }
  expect(waits).toEqual([2, 4, 8, 16, 32, 60, 60, 60]);
});

test('a hundred guesses at once are as slow as a hundred in a row', async () => {
  const { wrongTokens } = server();
  let looked = 0;
  const slowly = async () => {
    looked += 1;
    await new Promise((resolve) => setImmediate(resolve));
    return undefined;
  };
  await Promise.allSettled(Array.from({ length: 100 }, () => wrongTokens.attempt('10.0.0.1', slowly)));
  expect(looked).toBe(5);
});

test('a good token among the wrong ones does not forgive them', async () => {
  const { clock, wrongTokens, guess } = server();
  for (let round = 0; round < 4; round++) {
    await guess('10.0.0.1');
    await wrongTokens.attempt('10.0.0.1', right);
  }
  expect(await guess('10.0.0.1')).toEqual({ found: undefined, waitSeconds: 1 });
  clock.advance(60 * 60 * 1000 + 1);
  expect(await guess('10.0.0.1')).toEqual({ found: undefined, waitSeconds: 0 });
});

test('a hundred boxes behind one address that show a good token at once are all let in', async () => {
  const { wrongTokens } = server();
  const shown = await Promise.all(Array.from({ length: 100 }, () => wrongTokens.attempt('10.0.0.1', right)));
  expect(shown.every(({ found }) => found === 'token')).toBe(true);
});

test('guesses from a thousand addresses slow each down from its second on, and an honest newcomer not at all', async () => {
  const { wrongTokens, guess } = server();
  const addresses = Array.from({ length: 1000 }, (_, index) => `10.1.${index >> 8}.${index & 255}`);
  let looked = 0;
  for (let round = 0; round < 5; round++) {
    for (const address of addresses)
      await guess(address)
        .then(() => (looked += 1))
        .catch(() => {});
  }
  expect(looked).toBe(1000);
  expect(await wrongTokens.attempt('10.0.0.1', right)).toMatchObject({ found: 'token' });
});

test('a flood from many addresses is forgotten from its oldest on', async () => {
  const { wrongTokens, guess } = await guesses(5);
  for (let address = 0; address < 17_000; address++) await guess(`fd00::${address.toString(16)}`);
  expect(await wrongTokens.attempt('10.0.0.1', right)).toMatchObject({ found: 'token' });
});
