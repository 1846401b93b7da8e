import { expect, test } from 'vitest';
import { createWrongTokens, TooManyAttemptsError } from '../../../../src/server/join/join.ts';
import { fakeClock } from '../../../helpers/clock.ts';

function guesses(count: number) {
  const clock = fakeClock();
  const wrongTokens = createWrongTokens(clock);
  for (let guess = 0; guess < count; guess++) wrongTokens.record('10.0.0.1');
  return { clock, wrongTokens };
}

test('a few wrong tokens cost nothing', () => {
  expect(() => guesses(4).wrongTokens.check('10.0.0.1')).not.toThrow();
});

test('after five an address waits, other addresses do not', () => {
  const { clock, wrongTokens } = guesses(5);
  expect(() => wrongTokens.check('10.0.0.1')).toThrow(TooManyAttemptsError);
  expect(() => wrongTokens.check('10.0.0.2')).not.toThrow();
  clock.advance(1001);
  expect(() => wrongTokens.check('10.0.0.1')).not.toThrow();
});

test('each further one doubles the wait, up to a minute', () => {
  const { clock, wrongTokens } = guesses(7);
  expect(() => wrongTokens.check('10.0.0.1')).toThrow('try again in 4 s');
  for (let guess = 0; guess < 40; guess++) wrongTokens.record('10.0.0.1');
  expect(() => wrongTokens.check('10.0.0.1')).toThrow('try again in 60 s');
  clock.advance(60_001);
  expect(() => wrongTokens.check('10.0.0.1')).not.toThrow();
});

test('a right token forgives', () => {
  const { wrongTokens } = guesses(8);
  wrongTokens.forget('10.0.0.1');
  expect(() => wrongTokens.check('10.0.0.1')).not.toThrow();
});

test('a flood from many addresses is forgotten from its oldest on', () => {
  const { wrongTokens } = guesses(5);
  for (let address = 0; address < 5000; address++) wrongTokens.record(`fd00::${address.toString(16)}`);
  expect(() => wrongTokens.check('10.0.0.1')).not.toThrow();
});
