/** Pods that ask something of the kernel, or of a host that goes down. */
import { eventually } from '../helpers/wait.ts';
import type { Machine } from './machine.ts';
import { apply, kubectl } from './stories.ts';

const minute = 60_000;
const everyMs = 5000;

/** As the first process of its namespace, sleep ignores SIGTERM. */
const stubbornPod = (name: string, image: string) => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, labels: { app: stubborn } }
spec:
  terminationGracePeriodSeconds: 30
  nodeName: m1
  containers:
    - name: stubborn
      image: ${image}
      command: [sleep, '100000']
      lifecycle: { preStop: { exec: { command: [sh, -c, echo hook >/ends/${name}] } } }
      volumeMounts: [{ name: ends, mountPath: /ends }]
  volumes: [{ name: ends, hostPath: { path: /var/ends, type: DirectoryOrCreate } }]
`;

/** Runs this many pods on m1 that end only when they are killed, each with a hook that leaves a note. */
export async function runStubbornPods(server: Machine, image: string, count: number): Promise<void> {
  const names = Array.from({ length: count }, (_, index) => `stubborn-${index}`);
  await apply(server, names.map((name) => stubbornPod(name, image)).join('---'));
  await server.sh('kagent kubectl wait pods -l app=stubborn --for=condition=Ready --timeout=15m', {
    timeoutMs: 16 * minute,
  });
}

export interface Ends {
  /** Of how many pods the hook ran. */
  readonly hooks: number;
  /** `{ 'Failed Terminated': 20 }` */
  readonly statuses: Readonly<Record<string, number>>;
}

/** How those ended; takes them and their notes away. */
export async function endsOfStubbornPods(server: Machine): Promise<Ends> {
  const columns = 'jsonpath=\'{range .items[*]}{.status.phase} {.status.reason}{"\\n"}{end}\'';
  const statuses: Record<string, number> = {};
  for (const line of (await kubectl(server, `get pods -l app=stubborn -o ${columns}`)).trim().split('\n')) {
    statuses[line] = (statuses[line] ?? 0) + 1;
  }
  const hooks = Number(await server.sh('ls /var/ends | wc -l'));
  await kubectl(server, 'delete pods -l app=stubborn');
  await server.sh('rm -r /var/ends');
  return { hooks, statuses };
}

const lookingPod = (name: string, image: string, spec: string) => `
apiVersion: v1
kind: Pod
metadata: { name: ${name} }
spec:
  ${spec}
  terminationGracePeriodSeconds: 1
  restartPolicy: Never
  containers:
    - name: looks
      image: ${image}
      command: [sh, -c, cat /proc/self/attr/current; cat /proc/self/uid_map]
`;

/** What a pod sees of itself: the profile it is confined by, and whose its users are; or why it did not start. */
export async function seenByPod(server: Machine, image: string, spec: string): Promise<string> {
  await apply(server, lookingPod('looks', image, spec));
  const phase = async () => (await kubectl(server, "get pod looks -o jsonpath='{.status.phase}'")).trim();
  const reasons = async () =>
    await kubectl(server, "get events --field-selector involvedObject.name=looks -o jsonpath='{.items[*].reason}'");
  const seen = await eventually(
    async () => {
      if ((await phase()) === 'Succeeded') return await kubectl(server, 'logs looks');
      const kernelLacks = /KernelLacksIDMappedMounts/.exec(await reasons());
      return kernelLacks?.[0];
    },
    { withinMs: 5 * minute, everyMs, what: 'the end of the pod, or an event' },
  );
  await kubectl(server, 'delete pod looks');
  await kubectl(server, 'delete events --field-selector involvedObject.name=looks');
  return seen;
}

/** What the kernel counts in the cgroup of kagent's unit, and whose cgroups are below it. */
export async function unitMemory(machine: Machine) {
  const cgroup = '/sys/fs/cgroup/system.slice/kagent.service';
  const [max = '', used = '', ...components] = (
    await machine.sh(
      `cd ${cgroup} && cat memory.max memory.current && for dir in */; do [ -z "$(cat $dir/cgroup.procs)" ] || echo $dir; done`,
    )
  )
    .trim()
    .split('\n');
  return { max: Number(max), used: Number(used), components: components.map((dir) => dir.replace('/', '')) };
}
