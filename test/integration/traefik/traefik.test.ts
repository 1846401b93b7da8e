import { expect, test } from 'vitest';
import { testGo } from '../../helpers/go-test.ts';

test(
  'Traefik is ready when it knows the routes of all providers, and refuses what it does not have',
  { timeout: 900_000 },
  async () => {
    expect(await testGo('traefik')).toBe('ok');
  },
);
