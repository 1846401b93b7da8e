/** What a person does with a fresh cluster, all on one server; the stories have namespaces of their own and run side by side. */
import { afterAll, beforeAll, describe } from 'vitest';
import { createCluster } from '../../helpers/cluster.ts';
import type { BoxWithLab } from '../../helpers/cluster.ts';
import { commandStories } from './commands.ts';
import { configurationStories } from './configuration.ts';
import { extensionStories } from './extension.ts';
import { jobStories } from './jobs.ts';
import { serviceStories } from './services.ts';
import { storageStories } from './storage.ts';

let cluster: BoxWithLab;
beforeAll(async () => {
  cluster = await createCluster('workloads');
  // The node is Ready before DNS, which is a pod like any other, answers.
  await cluster.kubectl('rollout', 'status', '-n', 'kube-system', 'deployment/coredns', '--timeout=60s');
});
afterAll(() => cluster?.wipe());

const theCluster = () => cluster;
describe.concurrent('on one server', () => {
  jobStories(theCluster);
  configurationStories(theCluster);
  serviceStories(theCluster);
  commandStories(theCluster);
  storageStories(theCluster);
  extensionStories(theCluster);
});
