import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { runPaths } from '../../../src/shared/paths.ts';
import type { Box } from '../../helpers/cluster.ts';
import { eventually } from '../../helpers/wait.ts';
import { manifest } from './manifests.ts';

const fixture = resolve(import.meta.dirname, '../../fixtures/webhook');

const widget = (name: string, size: string) => `
apiVersion: example.org/v1
kind: Widget
metadata: { name: ${name} }
spec: { size: ${size} }
`;

const mismatched = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: mismatched }
spec:
  selector: { matchLabels: { app: one } }
  template:
    metadata: { labels: { app: other } }
    spec: { containers: [{ name: shell, image: IMAGE }] }
`;

const misspelt = `
apiVersion: v1
kind: Pod
metadata: { name: misspelt }
spec: { container: [{ name: shell, image: IMAGE }] }
`;

const configMap = (name: string, annotations: string) => `
apiVersion: v1
kind: ConfigMap
metadata: { name: ${name}, labels: { asked: 'true' }, annotations: ${annotations} }
`;

/** What makes the API bigger, and what it refuses. */
export function extensionStories(box: () => Box): void {
  const refused = async (text: string, ...args: readonly string[]) => {
    const { code, stderr } = await box().tryKubectl('apply', '-f', await box().putManifest(text), ...args);
    expect(code).toBe(1);
    return stderr;
  };

  test('kube-apiserver has one connection to the datastore for all kinds of objects', async () => {
    const kinds = (await box().kubectl('api-resources', '-o', 'name')).trim().split('\n');
    const connections = await box().sh(`ss -Hx state connected src ${runPaths.datastoreSocket} | wc -l`);
    expect(kinds.length).toBeGreaterThan(60);
    // Its probes of the datastore's health and its compaction have theirs, and kagent's own controllers.
    expect(Number(connections)).toBeLessThan(15);
  });

  test('a custom resource with a schema is created, watched, and refused when it does not fit', async () => {
    await box().apply(manifest('widgets'));
    await box().kubectl('wait', 'crd/widgets.example.org', '--for=condition=Established', '--timeout=30s');
    const watching = box().run(['kagent', 'kubectl', 'get', 'widgets', '--watch', '-o', 'name']);
    await box().apply(widget('small', '1'));
    await eventually(() => watching.output().includes('widget.example.org/small'), { what: 'the watched widget' });
    expect(await refused(widget('none', '0'))).toMatch(
      /The Widget "none" is invalid: spec\.size: Invalid value: 0: .* should be greater than or equal to 1/,
    );
    expect(await refused(widget('wide', 'very'))).toMatch(
      /spec\.size: Invalid value: "?string"?: .*must be of type integer/,
    );
  });

  test("a manifest that is wrong gets the API's own error", async () => {
    expect(await refused(mismatched)).toContain(
      'The Deployment "mismatched" is invalid: spec.template.metadata.labels: Invalid value: {"app":"other"}: `selector` does not match template `labels`',
    );
    expect(await refused(misspelt)).toContain('strict decoding error: unknown field "spec.container"');
  });

  test('kube-apiserver reaches a webhook and an aggregated API through their Service', async () => {
    expect(await extend(box(), box())).toBe('greeting.greetings.example.org/hello\n');
  });
}

/** Runs a pod that is a webhook and an aggregated API on the box `on`. @returns what the API answers, once the webhook has refused */
export async function extend(box: Box, on: Box): Promise<string> {
  const env = { ...process.env, CGO_ENABLED: '0' };
  const program = join(on.host.dir, 'disk/tmp/webhook');
  await promisify(execFile)('go', ['build', '-trimpath', '-o', program, '.'], { cwd: fixture, env });
  await box.kubectl('create', 'namespace', 'extension');
  const pod = (await readFile(manifest('extension'), 'utf8')).replace('spec:', `spec:\n  nodeName: ${on.host.name}`);
  await box.apply(pod, '-n', 'extension');
  await box.kubectl('-n', 'extension', 'wait', 'pod/webhook', '--for=condition=Ready', '--timeout=60s');
  const certificate = await box.kubectl('-n', 'extension', 'logs', 'webhook');
  const [pem = ''] = /-----BEGIN[^]*END CERTIFICATE-----\n/.exec(certificate) ?? [];
  const registration = await readFile(manifest('registration'), 'utf8');
  await box.apply(registration.replaceAll('CERTIFICATE', Buffer.from(pem).toString('base64')));

  const unwanted = await box.putManifest(configMap('refused', '{ refused: not on a Friday }'));
  const refusal = async () => {
    const { code, stderr } = await box.tryKubectl('apply', '-n', 'extension', '-f', unwanted);
    return code !== 0 && stderr;
  };
  // kube-apiserver learns of a webhook some moments after it is made.
  const said = await eventually(refusal, { withinMs: 30_000, what: "the webhook's refusal" });
  expect(said).toContain('admission webhook "refuses.example.org" denied the request: not on a Friday');
  await box.apply(configMap('accepted', '{}'), '-n', 'extension');

  await box.kubectl('wait', 'apiservice/v1.greetings.example.org', '--for=condition=Available', '--timeout=30s');
  return await box.kubectl('get', 'greetings', '-o', 'name');
}
