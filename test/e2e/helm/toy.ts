/** A chart of the tests' own, packed by helm itself, and a registry for it. */
import { writeFile } from 'node:fs/promises';
import type { Box } from '../../helpers/cluster.ts';
import { buildGoProgram } from '../../helpers/go.ts';
import { processesOf } from '../../helpers/processes.ts';
import { eventually } from '../../helpers/wait.ts';

/** What it makes: a ConfigMap with its values and, where values ask for them, a slow hook, or one that waits for `/go`, and objects that are refused. */
const templates: Readonly<Record<string, string>> = {
  'word.yaml': `apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-word}
data:
  word: {{ .Values.word | quote }}
  number: "{{ .Values.number }}"
  revision: "{{ .Release.Revision }}"
`,
  // Kinds are applied in helm's order: when this is refused, the ConfigMap has changed already.
  'refused.yaml': `{{ if .Values.refused }}
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}-refused}
spec: {ports: [{port: 1234567}]}
{{ end }}
`,
  'toy.yaml': `{{ if .Values.toy }}
apiVersion: example.com/v1
kind: HelmToy
metadata: {name: {{ .Release.Name }}}
{{ end }}
`,
  'slow.yaml': `{{ if or .Values.seconds .Values.held }}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-slow
  annotations: {helm.sh/hook: "pre-install,pre-upgrade,pre-delete", helm.sh/hook-delete-policy: "before-hook-creation,hook-succeeded"}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 0
      containers:
        - {name: slow, image: IMAGE, command: [sh, -c, {{ if .Values.held }}"until [ -e /go ]; do sleep 0.2; done"{{ else }}"sleep {{ .Values.seconds }}"{{ end }}]}
{{ end }}
`,
};

const chartOf = (version: string) => `apiVersion: v2\nname: toy\nversion: ${version}\nappVersion: "1.2"\n`;
const usualValues = 'word: default\nnumber: 1\n';

/** @returns the archive's path in the box: `/tmp/charts/toy-<version>.tgz` */
export async function packToy(box: Box, version: string, image: string, files: Readonly<Record<string, string>> = {}) {
  const dir = `/tmp/charts/${version}/toy`;
  await box.sh(`mkdir -p ${dir}/templates ${dir}/files`);
  const write = (name: string, text: string) => box.sh(`cat >${dir}/${name} <<'END'\n${text}\nEND`);
  await write('Chart.yaml', chartOf(version));
  await write('values.yaml', usualValues);
  for (const [name, text] of Object.entries({ ...templates, ...files }))
    await write(`templates/${name}`, text.replaceAll('IMAGE', image));
  await helm(box, 'package', dir, '-d', '/tmp/charts');
  return `/tmp/charts/toy-${version}.tgz`;
}

/** `kagent helm …`. @returns stdout @throws with what helm wrote */
export async function helm(box: Box, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await box.kagent(['helm', ...args], { timeoutMs: 120_000 });
  if (code !== 0) throw new Error(`helm ${args.join(' ')} ended with ${code}:\n${stdout}${stderr}`);
  return stdout;
}

/** In base64, as `chartContent` has it. */
export async function contentOf(box: Box, archive: string): Promise<string> {
  return (await box.sh(`base64 -w0 ${archive}`)).trim();
}

/** A registry without TLS on a box; it keeps what is pushed in `/tmp/registry`. @returns what ends it */
export async function serveCharts(box: Box, address: string): Promise<() => Promise<void>> {
  const program = await buildGoProgram({ module: 'test/fixtures/registry' });
  const config = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: '/tmp/registry' } },
    http: { addr: address },
  };
  await writeFile(box.path('/tmp/registry.json'), JSON.stringify(config));
  const registry = box.run([program, 'serve', '/tmp/registry.json']);
  const answers = () => box.sh(`curl -sf http://${address}/v2/`).then(() => true);
  await eventually(answers, { withinMs: 20_000, what: 'the registry' });
  return async () => {
    const [{ pid } = { pid: 0 }] = processesOf(box).filter(({ commandLine }) => commandLine.includes('registry.json'));
    await box.signal(pid, 'KILL');
    await registry.exited;
  };
}

interface Release {
  readonly name: string;
  readonly revision: string;
  readonly status: string;
  readonly chart: string;
}

/** The releases of a namespace, whatever their state. */
export async function releasesOf(box: Box, namespace: string): Promise<readonly Release[]> {
  return JSON.parse(await helm(box, 'ls', '-n', namespace, '-o', 'json')) as readonly Release[];
}
