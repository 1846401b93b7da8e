import { expect, test } from 'vitest';
import { goTests } from '../../helpers/go-tests.ts';

test(
  'Traefik is ready when it knows the routes of all providers, and refuses what it does not have',
  { timeout: 900_000 },
  async () => {
    const { status, output } = await goTests('traefik', '.');
    expect(output).toMatch(/^ok\s+kagent\.sh\/components\/traefik\b/m);
    expect(status).toBe(0);
  },
);
