/** The suite as its authors publish it, the images that its manifests ask for, and a cluster for it. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openBundle } from '../../src/host/assets/assets.ts';
import { version } from '../../src/shared/version/version.ts';
import { executable } from '../helpers/cluster.ts';
import type { Box } from '../helpers/cluster.ts';
import { buildGoProgram, downloadModule } from '../helpers/go.ts';
import { importProgramImage } from '../helpers/program-image.ts';
import { leftOut } from './left-out.ts';
import { outputFile, reportDir } from './report.ts';

const module = 'test/gateway-api';
const conformance = 'sigs.k8s.io/gateway-api/conformance';
export const profiles = ['GATEWAY-HTTP', 'GATEWAY-TLS', 'GATEWAY-GRPC'] as const;

export interface Programs {
  readonly suite: string;
  /** The backend of its manifests. */
  readonly echo: string;
}

export async function buildPrograms(): Promise<Programs> {
  const echo = await buildGoProgram({ module, package: `${conformance}/echo-basic`, name: 'echo-basic' });
  const suite = await buildGoProgram({ module, package: conformance, name: 'gateway-api-conformance', isTest: true });
  return { suite, echo };
}

/** Whatever of its manifests' images is not there: its own, in all their versions from this one's source, and a CoreDNS, which is the bundle's. */
export async function importImages(box: Box, { echo }: Programs): Promise<void> {
  for (const image of await imagesOfManifests()) {
    if (/\/echo-basic:/.test(image)) await importProgramImage(box, image, echo, 'echo-basic');
    else if (/\/coredns:/.test(image)) await box.sh(`kagent ctr images tag '${await bundledCoredns()}' '${image}'`);
    else throw new Error(`the suite asks for ${image}, which nobody makes here`);
  }
}

/** Those of meshes aside. */
async function imagesOfManifests(): Promise<ReadonlySet<string>> {
  const { dir } = await downloadModule(conformance, module);
  const images = new Set<string>();
  for (const folder of ['base', 'tests'])
    for (const file of await readdir(join(dir, folder))) {
      if (!file.endsWith('.yaml')) continue;
      const text = await readFile(join(dir, folder, file), 'utf8');
      for (const [, image = ''] of text.matchAll(/^\s*image: (\S+)$/gm)) images.add(image);
    }
  return images;
}

async function bundledCoredns(): Promise<string> {
  const { manifest } = await openBundle(executable);
  const image = manifest.files.find(({ name }) => name === 'coredns.tar')?.image;
  if (image === undefined) throw new Error(`${executable} has no image of CoreDNS`);
  return image;
}

/** The ports of the suite's listeners besides 80 and 443. In the pod they are others: which, nobody outside has to know. */
export const ports = `apiVersion: helm.cattle.io/v1
kind: HelmChartConfig
metadata: { name: traefik, namespace: kube-system }
spec:
  valuesContent: |
    ports:
      http8080: { port: 18080, exposedPort: 8080, expose: { default: true } }
      http8090: { port: 18090, exposedPort: 8090, expose: { default: true } }
      tls8443: { port: 18443, exposedPort: 8443, expose: { default: true } }
      tls8883: { port: 18883, exposedPort: 8883, expose: { default: true } }
`;

/**
 * Runs it on a host that is no node, and keeps what it wrote. A test that fails is in the report.
 * @param only the name of one test, for whoever looks into it
 * @returns the report's text
 */
export async function runSuite(server: Box, client: Box, programs: Programs, only = ''): Promise<string> {
  const kubeconfig = await server.sh('cat /etc/kagent/kagent.yaml');
  const reached = kubeconfig.replace(/server: .*/, `server: https://${server.host.address}:6443`);
  await writeFile(client.path('/tmp/kubeconfig'), reached);
  const options = {
    'gateway-class': 'traefik',
    'conformance-profiles': profiles.join(),
    'skip-tests': Object.keys(leftOut).join(),
    'report-output': '/tmp/report.yaml',
    organization: 'kagent',
    project: 'kagent',
    url: 'https://kagent.sh',
    contact: 'https://kagent.sh',
    version,
    'run-test': only,
  };
  const flags = Object.entries(options).flatMap(([name, value]) => (value === '' ? [] : [`-${name}=${value}`]));
  const suite = client.run([
    'env',
    'KUBECONFIG=/tmp/kubeconfig',
    programs.suite,
    '-test.v',
    '-test.run=^TestConformance$',
    '-test.timeout=90m',
    ...flags,
  ]);
  await suite.exited;
  await mkdir(reportDir, { recursive: true });
  await writeFile(outputFile, suite.output());
  return await readFile(client.path('/tmp/report.yaml'), 'utf8').catch(() => {
    throw new Error(`the suite wrote no report; it ended with:\n${suite.output().slice(-4000)}`);
  });
}
