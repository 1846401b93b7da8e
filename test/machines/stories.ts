/** What a person does on machines, and looks at. */
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { eventually } from '../helpers/wait.ts';
import { passSilence } from './guest-agent.ts';
import type { Machine } from './machine.ts';

const minute = 60_000;
/** Between two looks, each of which costs an emulated machine seconds of its processors. */
const everyMs = 10_000;

/** An emulated machine is slower than any that kagent's installer has in mind. */
const patience = 'export INSTALL_KAGENT_TIMEOUT=1500;';

/** From the folder on the drive; `before`: what the person types first. @returns what the installer said */
export async function install(machine: Machine, version: string, args: string, before = ''): Promise<string> {
  await machine.sh('systemctl start mnt-release.mount'); // returns when it is there
  const command = `${patience} ${before} INSTALL_KAGENT_ARTIFACT_PATH=/mnt/release/v${version} sh /mnt/release/install.sh ${args} 2>&1`;
  return machine.sh(command, { timeoutMs: 28 * minute });
}

export function kubectl(machine: Host, command: string): Promise<string> {
  return machine.sh(`kagent kubectl ${command}`);
}

export async function apply(server: Host, manifest: string): Promise<void> {
  const encoded = Buffer.from(manifest).toString('base64');
  const timeoutMs = 15 * minute; // twenty pods that begin meanwhile leave kubectl little of a machine's one processor
  await server.sh(`echo ${encoded} | base64 -d | kagent kubectl apply -f -`, { timeoutMs });
}

/** Until this many nodes are Ready and every pod is, but for those that have ended: a shutdown leaves them in the list. */
export async function ready(server: Machine, nodes: number): Promise<void> {
  const settled = async () => {
    const list = (await kubectl(server, 'get nodes --no-headers')).trim().split('\n');
    const pods = (await kubectl(server, `get pods -A --no-headers --field-selector=${unended}`)).trim().split('\n');
    const isUp = (line: string) => /\s(\d+)\/\1\s+Running\s/.test(line);
    return list.filter((line) => /\sReady\s/.test(line)).length === nodes && pods.every(isUp);
  };
  await eventually(settled, { withinMs: 15 * minute, everyMs, what: `${nodes} Ready nodes with all their pods` });
}

const unended = 'status.phase!=Failed,status.phase!=Succeeded';

/** Until every component of this kagent is as it should be: `kagent status` says ready. */
export async function healthy(machine: Machine): Promise<void> {
  const isReady = async () => /^kagent [^:]*: ready, pid/.test(await machine.sh('kagent status'));
  await eventually(isReady, { withinMs: 10 * minute, everyMs, what: `every component of ${machine.name}` });
}

/** Ids of the containers that run on it. */
export async function containers(machine: Machine): Promise<readonly string[]> {
  return (await machine.sh('kagent crictl ps -q')).trim().split('\n').toSorted();
}

const web = (image: string) => `
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: web }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: web
          image: ${image}
          command: [sh, -c, 'mkdir /www && dd if=/dev/zero of=/www/large bs=1M count=2 2>/dev/null && hostname >/www/index.html && exec httpd -f -p 8080 -h /www']
          readinessProbe: { httpGet: { port: 8080, path: / }, timeoutSeconds: 5 }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec:
  type: NodePort
  selector: { app: web }
  ports: [{ port: 80, targetPort: 8080, nodePort: 30080 }]
`;

/** A node: a machine, or a lab's host in one. */
export type Host = Pick<Machine, 'address' | 'sh'>;

/** A pod on each node: by name and address from each other, by the Service from the hosts, with packets of full size. The first is the server. */
export async function podsReachEachOther(hosts: readonly Host[], image: string): Promise<void> {
  const [server] = hosts;
  if (server === undefined) throw new Error('no machine');
  await apply(server, web(image));
  await kubectl(server, 'rollout status daemonset/web --timeout=10m');
  const list = await kubectl(
    server,
    `get pods -l app=web -o jsonpath='{range .items[*]}{.metadata.name} {.status.podIP}{"\\n"}{end}'`,
  );
  const pods = list
    .trim()
    .split('\n')
    .map((line) => line.split(' '));
  for (const [pod = ''] of pods) {
    const inPod = (command: string) => kubectl(server, `exec ${pod} -- ${command}`);
    for (const [, address = ''] of pods) await inPod(`wget -q -T 20 -O /dev/null http://${address}:8080/large`);
    await inPod('wget -q -T 20 -O /dev/null http://web.default.svc.cluster.local/');
    await inPod('nslookup kubernetes.default.svc.cluster.local');
    await kubectl(server, `logs ${pod}`);
  }
  for (const host of hosts) {
    const service = await kubectl(server, "get service web -o jsonpath='{.spec.clusterIP}'");
    for (const address of [`${service.trim()}:80`, ...hosts.map((other) => `${other.address}:30080`)]) {
      await host.sh(`${fetch(address)} | grep -q web-`);
    }
  }
}

/** A machine has neither curl nor wget: kagent's own busybox asks. */
const fetch = (address: string) => `/var/lib/kagent/data/current/aux/busybox wget -q -T 20 -O - http://${address}/`;

/**
 * What a person does who reads the doctor: `--fix`, and by hand what it leaves to its owner, rules of nft, now and for the
 * next boot.
 */
export async function doAsTheDoctorSays(machine: Machine, mode: 'server' | 'agent'): Promise<void> {
  await machine.exec(`kagent doctor --fix ${mode}`);
  const { stdout } = await machine.exec(`kagent doctor ${mode} -o json`);
  for (const [, chain = '', condition = ''] of stdout.matchAll(/nft insert rule inet filter (\w+) ([^&;"]+) accept/g)) {
    await machine.sh(`nft insert rule inet filter ${chain} ${condition} accept
[ -e /root/nftables.conf ] || cp /etc/nftables.conf /root/nftables.conf
sed -i '/hook ${chain} /a ${condition} accept' /etc/nftables.conf`);
  }
}

/** After kagent has gone. */
export async function takeOwnRulesBack(machine: Machine): Promise<void> {
  await machine.sh(
    `[ ! -e /root/nftables.conf ] || { mv /root/nftables.conf /etc/nftables.conf && nft -f /etc/nftables.conf; }`,
  );
}

/** On another machine the line is typed that makes it an agent: it takes everything from the server. */
export async function joins(machine: Machine, server: Machine): Promise<void> {
  const line = (await server.sh('kagent token join-command')).trim();
  await machine.sh(`${patience} ${line}`, { timeoutMs: 20 * minute });
}

/** A lab of a server and an agent on a machine without kagent. @returns its hosts, the server first */
export async function labUp(machine: Machine, program: string): Promise<readonly Host[]> {
  // The library that an installation brings along: a lab has its programs from its machine.
  await machine.sh(`cp ${dirname(program)}/libatomic.so.1-* /usr/local/lib/libatomic.so.1 && ldconfig`);
  await machine.sh(`${program} lab up --agents 1 2>&1`, { timeoutMs: 20 * minute });
  const host = (name: string, address: string): Host => ({
    address,
    sh(script, options) {
      const encoded = Buffer.from(script).toString('base64');
      return machine.sh(`${program} lab exec ${name} -- sh -c "$(echo ${encoded} | base64 -d)"`, options);
    },
  });
  return [host('s1', '10.77.0.11'), host('a1', '10.77.0.21')];
}

/** A list of objects, made by a shell: the machine has a small disk for texts, and no other machine to get it from. */
const manyObjects = `for i in $(seq 1 2000); do
  printf '%s\\n' --- 'apiVersion: v1' 'kind: ConfigMap' "metadata: { name: written-$i, labels: { story: power-cut } }"
done`;

/**
 * Writes objects one after another, each answer noted on the console, which is outside the machine; then cuts its power in
 * the middle.
 * @returns names of those that the API server had answered for
 */
export async function acknowledgedWrites(server: Machine): Promise<readonly string[]> {
  const answered = async () =>
    [...(await readFile(server.console, 'utf8')).matchAll(/configmap\/(written-\d+) created/g)].map(
      ([, name = '']) => name,
    );
  const writing = server.exec(`${manyObjects} | kagent kubectl create -f - >/dev/console`).catch(passSilence);
  try {
    await eventually(async () => (await answered()).length >= 50, { withinMs: 5 * minute, what: '50 writes' });
  } finally {
    await server.cutPower();
    await writing;
  }
  return answered();
}
