import { relative } from 'node:path';
import { BaseSequencer } from 'vitest/node';
import type { TestSpecification } from 'vitest/node';

/** Files that take minutes, from `test/` on, the longest first: as scripts/test.sh's last lines have it. */
const longest: readonly string[] = [
  'integration/etcd/storage/storage',
  'integration/etcd/clientv3/clientv3',
  'integration/etcd/linearizability/linearizability',
  'e2e/three-hosts',
  'e2e/server-in-use',
  'e2e/nodes/nodes',
  'e2e/server-and-agent',
  'e2e/workloads/workloads',
  'e2e/one-server',
  'e2e/install/install',
];

/** These first, so that no worker is alone with one of them at the end; then by size, as ever. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const rank = ({ moduleId, project }: TestSpecification) => {
      const index = longest.indexOf(relative(`${project.config.root}/test`, moduleId).replace(/\.test\.ts$/, ''));
      return index < 0 ? longest.length : index;
    };
    return sorted.toSorted((a, b) => (a.project.name === b.project.name ? rank(a) - rank(b) : 0));
  }
}
