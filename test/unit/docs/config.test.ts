import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { configDoc } from '../../../scripts/config-doc.ts';

test('docs/config.md says what the schemas say; `node scripts/config-doc.ts` writes it anew', () => {
  const written = readFileSync(join(import.meta.dirname, '../../../docs/config.md'), 'utf8');
  expect(written).toBe(configDoc());
});
