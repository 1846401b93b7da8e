/** HTTP/2's own conformance suite, as its authors publish it, against our front end. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildGoProgram, goBuildTimeoutMs } from '../../helpers/go.ts';
import { startHttp2Server } from '../../helpers/http2-server.ts';
import type { TestHttp2Server } from '../../helpers/http2-server.ts';

let server: TestHttp2Server;
let h2spec: string;

beforeAll(async () => {
  const [program, started] = await Promise.all([
    buildGoProgram({
      module: 'test/integration/h2spec',
      package: 'github.com/summerwind/h2spec/cmd/h2spec',
      name: 'h2spec',
    }),
    startHttp2Server(),
  ]);
  h2spec = program;
  server = started;
}, goBuildTimeoutMs);
afterAll(() => server.stop());

test('every case of h2spec passes, the strict ones too, and none is left out', async () => {
  const output = await promisify(execFile)(h2spec, ['--port', String(server.port), '--strict', '--timeout', '5']).then(
    ({ stdout }) => stdout,
    (failure: { readonly stdout: string }) => failure.stdout,
  );
  const failures = output.slice(Math.max(output.indexOf('Failures:'), 0)).slice(-4000);
  expect(failures).toMatch(/\n146 tests, 146 passed, 0 skipped, 0 failed\n/);
});
