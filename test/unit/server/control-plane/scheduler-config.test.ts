import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { schedulerArguments } from '../../../../src/server/control-plane/scheduler-config.ts';
import { flagsOf } from '../../../../src/shared/arguments/arguments.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const ours = {
  kubeconfig: '/kagent/kubeconfig',
  'bind-address': '127.0.0.1',
  'leader-elect': 'false',
  profiling: 'false',
};

function merged(yaml: string, ...args: readonly string[]) {
  const dir = temporaryDir();
  const [file, path] = [join(dir, 'operators.yaml'), join(dir, 'scheduler.json')];
  writeFileSync(file, yaml);
  const result = schedulerArguments(ours, flagsOf([`config=${file}`, ...args]), { path, give: (one) => one });
  expect(result.ours['config']).toBe(path);
  return { ...result, configuration: JSON.parse(readFileSync(path, 'utf8')) as unknown };
}
const head = 'apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n';

test('without a file the flags are what they are', () => {
  const theirs = flagsOf(['profiling=true']);
  expect(schedulerArguments(ours, theirs, { path: '/nowhere', give: (one) => one })).toEqual({ ours, theirs });
});

test('the operator’s file has kagent’s kubeconfig added, which kube-scheduler takes from no flag beside it', () => {
  const { configuration, ours: flags } = merged(`${head}profiles: [{schedulerName: mine}]\n`, 'v=2');
  expect(configuration).toEqual({
    apiVersion: 'kubescheduler.config.k8s.io/v1',
    kind: 'KubeSchedulerConfiguration',
    profiles: [{ schedulerName: 'mine' }],
    clientConnection: { kubeconfig: '/kagent/kubeconfig' },
    enableProfiling: false,
  });
  expect(Object.keys(flags).toSorted()).toEqual(['bind-address', 'config', 'leader-elect']);
});

test('what the file says itself stays, and a flag of the operator wins over both', () => {
  const yaml = `${head}enableProfiling: true
clientConnection: {kubeconfig: "", qps: 7, burst: 9}
leaderElection: {leaderElect: true}
`;
  const { configuration, ours: flags, theirs } = merged(yaml, 'kube-api-qps=50', 'contention-profiling', 'v=2');
  expect(configuration).toMatchObject({
    enableProfiling: true,
    enableContentionProfiling: true,
    clientConnection: { kubeconfig: '/kagent/kubeconfig', qps: 50, burst: 9 },
    leaderElection: { leaderElect: true },
  });
  expect(flags).not.toHaveProperty('leader-elect');
  expect(theirs).toEqual([{ name: 'v', value: '2' }]);
});

test('a file that is not there or says nothing is refused by its name', () => {
  expect(() => schedulerArguments(ours, flagsOf(['config=/nowhere']), { path: '/x', give: (one) => one })).toThrow(
    '/nowhere: it cannot be read (ENOENT)',
  );
  expect(() => merged('- 1\n')).toThrow('it is no KubeSchedulerConfiguration');
});
