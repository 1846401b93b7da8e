/** Kubernetes' own end-to-end tests, what runs them, and the programs in their images, as go.mod pins them. */
import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { defaultCacheDir, hashOf, openCache } from '../../scripts/build/cache.ts';
import { run } from '../../scripts/build/run.ts';
import { buildGoProgram, goEnvironment } from '../helpers/go.ts';

const here = import.meta.dirname;
const kubernetes = 'k8s.io/kubernetes';

const built = [
  { name: 'e2e.test', package: `${kubernetes}/test/e2e`, isTest: true },
  { name: 'ginkgo', package: 'github.com/onsi/ginkgo/v2/ginkgo' },
  { name: 'agnhost', package: `${kubernetes}/test/images/agnhost` },
  { name: 'consumer', package: `${kubernetes}/test/images/resource-consumer` },
  { name: 'consume-cpu', package: `${kubernetes}/test/images/resource-consumer/consume-cpu` },
] as const;
export type ProgramName = (typeof built)[number]['name'];

/** `v1.37.1` */
export async function kubernetesVersion(): Promise<string> {
  return (await run('go', ['list', '-m', '-f', '{{.Version}}', kubernetes], { cwd: here, env: environment() })).trim();
}

/** Where the published files of the module are. */
export async function kubernetesSources(): Promise<string> {
  return (await run('go', ['list', '-m', '-f', '{{.Dir}}', kubernetes], { cwd: here, env: environment() })).trim();
}

function environment(): Record<string, string> {
  return { PATH: goEnvironment()['PATH'] ?? '', GOTOOLCHAIN: 'local', GOWORK: 'off' };
}

/** Minutes the first time, of which most is compiling; then it is in the cache of the build. @returns where a program is */
export async function upstreamPrograms(): Promise<(name: ProgramName) => string> {
  const files = await Promise.all(['go.mod', 'go.sum'].map((name) => readFile(join(here, name), 'utf8')));
  const go = await run('go', ['env', 'GOVERSION'], { env: environment() });
  const cache = await openCache(defaultCacheDir);
  const dir = await cache.entry({
    name: 'upstream-tests',
    key: hashOf([files, go, built, process.arch]),
    async build(folder) {
      for (const program of built) {
        const path = await buildGoProgram({ module: 'test/upstream', ...program });
        await copyFile(path, join(folder, program.name));
      }
    },
  });
  return (name) => join(dir, name);
}
