import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { whyNotAsUser } from '../../../../src/host/process/process.ts';
import { createHelm } from '../../../../src/server/control-plane/helm.ts';
import { openPki } from '../../../../src/server/pki/pki.ts';
import { pathsOf } from '../../../../src/shared/paths.ts';

const isRoot = process.getuid?.() === 0;
const canBeAnother =
  isRoot && whyNotAsUser({ runAsUser: 2_109_345_004, allowPrivilegeEscalation: false }) === undefined;

/** A shell in the place of helm. */
async function helm(script: string) {
  const dir = mkdtempSync('/var/tmp/kagent-helm-'); // /tmp may be closed to other users
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  chmodSync(dir, 0o711);
  const [binDir, runDir, paths] = [join(dir, 'bin'), join(dir, 'run'), pathsOf(join(dir, 'data'))];
  for (const one of [binDir, paths.server.cred]) mkdirSync(one, { recursive: true });
  writeFileSync(join(binDir, 'helm-release'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const pki = await openPki(paths.server.tls);
  const made = createHelm({ binDir, pki, paths, localUrl: 'https://127.0.0.1:6443', direct: [], runDir });
  const lines: string[] = [];
  const run = (request: object, signal = new AbortController().signal) =>
    made.run(request, { timeoutMs: 10_000, onLine: (line) => lines.push(line) }, signal);
  return { run, lines, runDir };
}

test('it is told its request, and is a user that can read its certificate and nothing else', async () => {
  const { run, lines, runDir } = await helm(
    'id -u; cat; echo; cat "$KUBECONFIG"; cd "${KUBECONFIG%/*}" && cat *.crt *.key; echo x >"$HOME/file"',
  );
  expect(existsSync(runDir)).toBe(false);
  const { reason } = await run({ action: 'apply', name: 'web' });
  expect(reason).toBeUndefined();
  expect(lines[0]).toBe(canBeAnother ? '2109345004' : String(process.getuid?.()));
  expect(JSON.parse(lines[1] ?? '')).toEqual({ action: 'apply', name: 'web', workDir: join(runDir, 'helm') });
  expect(lines.join('\n')).toContain('kagent:helm-controller');
  expect(lines.filter((line) => line.startsWith('-----BEGIN'))).toHaveLength(3);
});

test('why it has failed, and that it was ended, is told', async () => {
  const failing = await helm('echo broken >&2; exit 3');
  expect(await failing.run({})).toMatchObject({ reason: 'broken', code: 3 });
  const hanging = await helm('echo begun; exec sleep 60');
  const stopping = new AbortController();
  const ended = hanging.run({}, stopping.signal);
  await expect.poll(() => hanging.lines).toEqual(['begun']);
  stopping.abort();
  expect(await ended).toMatchObject({ code: 143 });
});
