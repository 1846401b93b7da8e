/** A day's use of a server and an agent, crashes and a power cut included; then everything away, and the boxes compared. */
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { boxState, differences } from '../../helpers/box-state.ts';
import type { BoxState } from '../../helpers/box-state.ts';
import { createBareBoxes, executable } from '../../helpers/cluster.ts';
import type { BareBoxes, Box } from '../../helpers/cluster.ts';
import { webDeployment } from '../../helpers/manifests.ts';
import { processesOf } from '../../helpers/processes.ts';
import { eventually } from '../../helpers/wait.ts';

const installer = resolve(import.meta.dirname, '../../../scripts/install.sh');
/** Of these the kernel has one for all hosts of the machine; unit tests look at their return. */
const shared = ['machineSysctls'];

/** Outside every folder of kagent's. */
const kubeconfig = ['--write-kubeconfig', '/srv/admin/kubeconfig'];

let lab: BareBoxes;
let server: Box;
let agent: Box;
const before = new Map<Box, BoxState>();

/** What the owner of a box had on it, each in the way of something that kagent makes. */
const owners = `
printf '#!/bin/sh\\ntouch /run/owner-was-here\\nexit 0' >/etc/rc.local; chmod 755 /etc/rc.local
rm -rf ~/.cache/kagent-tools # which shows through from the machine, and goes
mkdir -p /etc/kagent /srv/pods /srv/precious
echo '# mine' >/etc/kagent/config.yaml
echo precious >/srv/precious/file
printf '#!/bin/sh\\necho my kubectl\\n' >/usr/local/bin/kubectl; chmod 755 /usr/local/bin/kubectl
iptables-legacy -A INPUT -p tcp --dport 81 -j ACCEPT
iptables-nft -A INPUT -p tcp --dport 82 -j ACCEPT
ip route add 192.0.2.0/24 via $(ip route | sed -n 's/default via \\([^ ]*\\).*/\\1/p')
if [ "$(hostname)" = s1 ]; then # another Kubernetes was here, with its folder on another disk
  mkdir -p /srv/kubelet/pods/theirs/volumes /srv/kubelet/theirs && echo theirs >/srv/kubelet/theirs/state
  rm -rf /var/lib/kubelet && ln -s /srv/kubelet /var/lib/kubelet
fi
mkdir -p /var/lib/cni/results; echo podman >/var/lib/cni/results/podman-1-eth0
touch /run/owner-was-here`;

const installation = (env: string, ...flags: readonly string[]) =>
  `install -m 755 '${executable}' /usr/local/bin/kagent
INSTALL_KAGENT_SKIP_DOWNLOAD=true ${env} sh '${installer}' ${flags.join(' ')} 2>&1`;
const install = (box: Box, env: string, ...flags: readonly string[]) => box.sh(installation(env, ...flags));

const uninstall = async (box: Box): Promise<string> => {
  const pods = processesOf(box).filter((process) => process.name === 'containerd-shim-runc-v2').length;
  const fromMs = performance.now();
  const said = await box.sh('kagent uninstall 2>&1');
  console.log(`${box.host.name}: ${pods} pods, ${Math.round(performance.now() - fromMs)} ms\n${said}`);
  return said;
};

const untilReady = (box: Box) =>
  eventually(async () => (await box.status()).isStarted, { withinMs: 90_000, what: `${box.host.name} Ready` });

const crash = async (box: Box): Promise<void> => {
  const { pid } = await box.status();
  await box.signal(pid, 'KILL');
  const isChild = /^(kagent|containerd|kube.*|flanneld)$/; // by their parent's death
  await eventually(() => processesOf(box).every(({ name }) => !isChild.test(name)), { what: 'its end' });
};

beforeAll(async () => {
  lab = await createBareBoxes('uninstall', ['s1', 'a1']);
  [server, agent] = lab.boxes as [Box, Box];
  for (const box of lab.boxes) {
    await box.sh(owners);
    before.set(box, await boxState(box));
  }
  await install(server, 'INSTALL_KAGENT_SYMLINK=force', 'server', '--flannel-backend', 'host-gw', ...kubeconfig);
  await server.sh('ln -s /srv/admin/kubeconfig /etc/kagent/kagent.yaml'); // where kagent kubectl looks
  const token = (await server.sh('cat /var/lib/kagent/server/node-token')).trim();
  await install(agent, `KAGENT_URL=https://${server.host.address}:9345 KAGENT_TOKEN=${token}`);
});
afterAll(() => lab?.wipe());

test('pods with every kind of volume, a host port and a node port are used on both boxes', async () => {
  await server.apply(webDeployment(6));
  await server.apply(join(import.meta.dirname, 'day.yaml'));
  await server.kubectl('rollout', 'status', 'daemonset/day', 'deployment/web', '--timeout=90s');
  const pods = (await server.kubectl('get', 'pods', '-l', 'app=day', '-o', 'name')).trim().split('\n');
  expect(pods).toHaveLength(2);
  for (const pod of pods) await server.kubectl('exec', pod, '--', 'cat', '/mnt/host/used');
  for (const box of [server, agent]) {
    await box.sh(`curl -s -m 5 -o /dev/null http://${box.host.address}:8088/`);
    await box.sh(`curl -s -m 5 -o /dev/null http://${box.host.address}:30080/`);
  }
  const range = await server.kubectl('get', 'node', 'a1', '-o', 'jsonpath={.spec.podCIDR}');
  expect(await server.sh('ip route')).toContain(`${range} via`); // host-gw
});

test('kagent is killed and started again; then the power goes and comes back', async () => {
  for (const box of [server, agent]) await crash(box);
  await server.sh('sh /etc/kagent/kagent.start');
  await agent.sh('sh /etc/kagent/kagent-agent.start');
  await Promise.all([untilReady(server), untilReady(agent)]);
  for (const { host } of [server, agent]) await host.off();
  for (const box of [server, agent]) {
    await box.host.up();
    await box.sh(
      'iptables-legacy -A INPUT -p tcp --dport 81 -j ACCEPT; iptables-nft -A INPUT -p tcp --dport 82 -j ACCEPT',
    );
    await box.sh("ip route add 192.0.2.0/24 via $(ip route | sed -n 's/default via \\([^ ]*\\).*/\\1/p')");
    await box.sh('/etc/rc.local'); // as a boot does
  }
  await Promise.all([untilReady(server), untilReady(agent)]);
  await server.kubectl('rollout', 'status', 'daemonset/day', 'deployment/web', '--timeout=90s');
  for (const box of [server, agent]) expect((await box.status()).isStarted).toBe(true);
});

test.each([
  ['an agent that runs', () => agent, async () => {}],
  ['a server that was just killed', () => server, crash],
] as const)('uninstalling %s leaves the box as it was, but for what it names', async (_, which, first) => {
  const box = which();
  // Somebody's disk in kagent's folder, a mount that a pod left behind, rules from when the box had the other iptables.
  await box.sh(`mkdir -p /var/lib/kagent/disk /var/lib/kubelet/pods/orphan/volumes/x
mount --bind /srv/precious /var/lib/kagent/disk
mount --bind /srv/precious /var/lib/kubelet/pods/orphan/volumes/x
iptables-legacy -N KUBE-SERVICES && iptables-legacy -A INPUT -j KUBE-SERVICES`);
  await first(box);
  const shim = processesOf(box).find((process) => process.name === 'containerd-shim-runc-v2');
  await box.signal(shim?.pid ?? 0, 'KILL'); // its containers are nobody's children then
  const said = await uninstall(box);
  expect(said).toContain('stays: /var/lib/kagent/disk: something is mounted there');
  expect(said).toContain('stays: /etc/kagent/config.yaml: it was there before kagent');
  expect(await box.sh('cat /srv/precious/file')).toBe('precious\n');
  await box.sh('umount /var/lib/kagent/disk && rmdir /var/lib/kagent/disk && rm -f /srv/pods/used');
  expect(differences(before.get(box) ?? {}, await boxState(box), shared)).toEqual({});
});

test('a second run finds nothing to do and changes nothing', async () => {
  const { code, stdout } = await agent.host.exec([executable, 'uninstall']);
  expect(code).toBe(0);
  expect(stdout).not.toMatch(/failed|stays: (?!\/etc\/kagent\/config.yaml|\/var\/lib\/kagent, with)/);
  expect(differences(before.get(agent) ?? {}, await boxState(agent), shared)).toEqual({});
});

test('a kagent that has never started, and one that cannot, go as well', async () => {
  await install(agent, 'INSTALL_KAGENT_SKIP_START=true', 'server');
  await uninstall(agent);
  expect(differences(before.get(agent) ?? {}, await boxState(agent), shared)).toEqual({});
  const failed = await agent.host.exec(['sh', '-c', installation('', 'server', '--cluster-cidr', '10.43.0.0/16')]);
  expect([failed.code, failed.stdout + failed.stderr]).toEqual([1, expect.stringContaining('10.43.0.0/16')]);
  await uninstall(agent);
  expect(differences(before.get(agent) ?? {}, await boxState(agent), shared)).toEqual({});
});

test('what the doctor finds before an installation leaves nothing to remove', async () => {
  const refused = await agent.host.exec(['sh', '-c', installation('', 'server', '--node-ip', '192.0.2.77')]);
  expect([refused.code, refused.stdout + refused.stderr]).toEqual([1, expect.stringContaining('Nothing was changed')]);
  await agent.sh('rm /usr/local/bin/kagent'); // which the test had put there
  expect(differences(before.get(agent) ?? {}, await boxState(agent), shared)).toEqual({});
});
