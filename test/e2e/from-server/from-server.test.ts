/**
 * Boxes with nothing on them but a shell, coreutils and curl: a server is installed from a release on a web server, agents by the
 * one line that it prints. No package manager, no internet, no iptables.
 */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { messageOf } from '../../../src/shared/errors.ts';
import { createBareBoxes } from '../../helpers/cluster.ts';
import type { BareBoxes, Box } from '../../helpers/cluster.ts';
import { webOnEachNode } from '../../helpers/manifests.ts';
import { listNodes, untilNode } from '../../helpers/nodes.ts';
import { eventually } from '../../helpers/wait.ts';

const run = promisify(execFile);
const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';
const repository = resolve(import.meta.dirname, '../../..');
let boxes: BareBoxes;
let web: Box;
let server: Box;
let agents: readonly Box[];
let release: string;

/** Deletes what a small box has not: everything but a shell, coreutils, and what is named here. */
async function strip(box: Box, ...more: readonly string[]): Promise<void> {
  const kept = [
    'sh',
    'dash',
    'bash',
    'curl',
    'grep',
    'sed',
    'awk',
    'mawk',
    'xargs',
    'find',
    'nsenter',
    'mount',
    'umount',
    ...more,
  ];
  await box.sh(`
    keep=" ${kept.join(' ')} $(dpkg -L coreutils | sed -n 's#^/\\(usr/\\)\\{0,1\\}s\\{0,1\\}bin/##p' | tr '\\n' ' ')"
    cd /usr/bin; for file in $(find . -maxdepth 1 ! -type d); do case "$keep" in *" \${file#./} "*) ;; *) echo "/usr/bin/$file" ;; esac; done >/tmp/gone
    find /usr/sbin /usr/local/bin /usr/local/sbin -maxdepth 1 ! -type d ! -name 'ldconfig*' >>/tmp/gone
    rm -f /usr/lib/*/libatomic.so.1*; xargs rm -f </tmp/gone; rm -rf /usr/local/go /tmp/gone
  `);
}

const service = `
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { type: NodePort, selector: { app: web }, ports: [{ port: 80, nodePort: 30080 }] }
`;

const address = () => `http://${web.host.address}:8000`;
const installOn = (box: Box, variables = '') => box.sh(`curl -sf ${address()}/install.sh | ${variables} sh -s - 2>&1`);
const failToInstallOn = (box: Box, variables = '') =>
  installOn(box, variables).then(
    (said) => {
      throw new Error(`it was installed:\n${said}`);
    },
    (error: unknown) => messageOf(error),
  );

beforeAll(async () => {
  release = await mkdtemp('/var/tmp/kagent-release-');
  boxes = await createBareBoxes('from-server', ['web', 's1', 'a1', 'a2'], [release]);
  [web, server, ...agents] = boxes.boxes as [Box, Box, ...Box[]];
  await run(join(repository, 'scripts/release.sh'), ['--arch', arch, '--address', address(), release]);
  web.run(['python3', '-m', 'http.server', '8000', '--directory', release]);
  for (const box of [server, ...agents]) {
    await strip(box, ...(box === agents[1] ? [] : ['gzip']));
    // As hardened boxes have it: packets whose sender is reached by another device are dropped.
    await box.sh('for file in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 1 >$file; done');
  }
  await eventually(() => server.sh(`curl -sf ${address()}/channels/stable`));
});
afterAll(async () => {
  await boxes?.wipe();
  await rm(release, { recursive: true, force: true });
});

describe('a server from a release', () => {
  test('a wrong checksum installs nothing', async () => {
    await cp(join(release, 'v0.1.0'), join(release, 'v6.6.6'), { recursive: true });
    await writeFile(join(release, 'v6.6.6', `sha256sum-${arch}.txt`), `${'0'.repeat(64)}  kagent-${arch}\n`);
    const said = await failToInstallOn(server, 'INSTALL_KAGENT_VERSION=v6.6.6');
    expect(said).toContain('Nothing was installed');
    expect(await server.sh('ls -A /usr/local/bin /etc/kagent 2>&1 || true')).not.toMatch(/^\.?kagent/m);
  });

  test('a disk without room is said before anything is changed', async () => {
    await server.sh('mount -t tmpfs -o size=64m,mode=755 tmpfs /usr/local/bin');
    const said = await failToInstallOn(server);
    expect(said).toMatch(/has 64 MiB free and kagent needs \d+ MiB there[^]*Nothing was changed/);
    expect(await server.sh('ls -A /usr/local/bin; umount /usr/local/bin')).toBe('');
  });

  test('is Ready with one command', async () => {
    const said = await installOn(server);
    expect(said).toMatch(/\/kagent-\w+\.gz\n[^]*kagent is Ready[^]*What next:/);
    expect(said).toContain('wrote /usr/local/lib/libatomic-kagent.so.1, which this box lacked');
    expect((await listNodes(server)).map(({ name, status }) => [name, status])).toEqual([['s1', 'Ready']]);
  });

  test('installed again, nothing restarts', async () => {
    const { pid } = await server.status();
    expect(await installOn(server)).toMatch(/is here already[^]*not restarted/);
    expect((await server.status()).pid).toBe(pid);
  });
});

describe('agents, by the line that the server prints', () => {
  test('a man in the middle of it gets nothing: no token, nothing run', async () => {
    const { stdout: line } = await server.kagent(['token', 'join-command', '--ttl', '5m']);
    // He answers at an address of his own with a certificate of his own, and has recorded what came.
    await web.sh(`
      cd /tmp && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cacerts -days 1 -subj /CN=x -addext subjectAltName=IP:${web.host.address} 2>/dev/null
      mkdir -p false && cp cacerts false/ && echo 'touch /tmp/owned' >false/install.sh`);
    web.run([
      'sh',
      '-c',
      `cd /tmp/false && exec python3 -c "
import http.server, ssl, sys
class H(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        open('/tmp/asked', 'a').write(self.requestline + str(self.headers))
        super().do_GET()
s = http.server.HTTPServer(('', 9345), H)
c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c.load_cert_chain('/tmp/cacerts', '/tmp/key.pem')
s.socket = c.wrap_socket(s.socket, server_side=True)
s.serve_forever()"`,
    ]);
    await eventually(() => web.sh(`curl -skf https://${web.host.address}:9345/cacerts`));
    await web.sh('rm -f /tmp/asked');
    const attacked = line.replace(server.host.address, web.host.address);
    const [a1] = agents;
    expect(await a1?.sh(`{ ${attacked.trim()}; } 2>&1 || true`)).toContain('nothing was run');
    expect(await a1?.sh('ls /tmp/owned /usr/local/bin/* 2>&1 || true')).not.toContain('kagent');
    const asked = await web.sh('cat /tmp/asked');
    expect(asked).toContain('GET /cacerts');
    expect(asked).not.toContain('K10');
    expect(asked.match(/^GET/gm)).toHaveLength(1);
  });

  test('two boxes at once: both Ready, with a pod on each', async () => {
    const { stdout: line } = await server.kagent(['token', 'join-command', '--ttl', '5m']);
    const said = await Promise.all(agents.map((agent) => agent.sh(`{ ${line.trim()}; } 2>&1`)));
    for (const text of said) expect(text).toMatch(/Download[^]*is Ready[^]*kagent-agent-uninstall.sh/);
    expect(said.map((text) => /\/(kagent-\S+)\n/.exec(text)?.[1])).toEqual([`kagent-${arch}.gz`, `kagent-${arch}`]);
    const sums = await Promise.all([server, ...agents].map((box) => box.sh('sha256sum </usr/local/bin/kagent')));
    expect(new Set(sums).size).toBe(1);
    const nodes = await listNodes(server);
    expect(nodes.map(({ name, status }) => [name, status])).toEqual([
      ['a1', 'Ready'],
      ['a2', 'Ready'],
      ['s1', 'Ready'],
    ]);
    await server.apply(`${webOnEachNode}---
${service}`);
    await server.kubectl('rollout', 'status', 'daemonset/web', '--timeout=60s');
    for (const box of [server, ...agents]) {
      // Rules made with the iptables that kagent brought.
      const text = () => box.sh('curl -sf http://127.0.0.1:30080/');
      expect(await eventually(text, { withinMs: 20_000 })).toMatch(/^web-/);
    }
  });

  test('installed again with another flag, only that box’s kagent restarts', async () => {
    const [a1, a2] = agents;
    if (a1 === undefined || a2 === undefined) throw new Error('two agents are needed');
    const before = [(await a1.status()).pid, (await a2.status()).pid, (await server.status()).pid];
    const again = `INSTALL_KAGENT_SKIP_DOWNLOAD=true sh -s - agent --node-label zone=b 2>&1`;
    await a1.sh(`curl -sfk https://${server.host.address}:9345/install.sh | ${again}`);
    expect((await a1.status()).pid).not.toBe(before[0]);
    expect([(await a2.status()).pid, (await server.status()).pid]).toEqual(before.slice(1));
    await untilNode({ server }, 'a1', { status: 'Ready', connected: true });
  });

  test('kagent-agent-uninstall.sh takes it away', async () => {
    await server.kagent(['node', 'drain', 'a2'], { timeoutMs: 60_000 });
    await agents[1]?.sh('kagent-agent-uninstall.sh');
    expect(await agents[1]?.sh('ls -A /usr/local/lib')).not.toContain('libatomic');
    expect(await agents[1]?.sh('ls -A /usr/local/bin /etc/kagent /var/lib/kagent 2>&1 || true')).not.toMatch(
      /^\.?kagent/m,
    );
  });
});

/** a2 again, whose only network is a device that leads nowhere. */
describe('a server from the folder of a release, without any network', () => {
  let box: Box;
  const installFrom = (folder: string, variables = '') =>
    box.sh(
      `umask 027; ${variables} INSTALL_KAGENT_ARTIFACT_PATH='${release}/${folder}' sh '${release}/install.sh' server 2>&1`,
    );
  const failToInstallFrom = (folder: string) =>
    installFrom(folder).then(
      (said) => {
        throw new Error(`it was installed:\n${said}`);
      },
      (error: unknown) => messageOf(error),
    );
  const dnsOf = async () => (await box.status()).components.find(({ name }) => name === 'cluster-dns')?.condition;

  beforeAll(async () => {
    const [, a2] = agents;
    if (a2 === undefined) throw new Error('two agents are needed');
    box = a2;
    await box.sh('rm -f /usr/bin/curl');
    const pid = (await readFile(join(box.host.dir, 'pid'), 'utf8')).trim();
    const ip = (...args: readonly string[]) => run('nsenter', ['-t', pid, '-n', 'ip', ...args]);
    await ip('link', 'delete', 'eth0');
    await ip('link', 'add', 'nowhere', 'type', 'veth', 'peer', 'name', 'nowhere-end');
    await ip('address', 'add', '192.0.2.10/24', 'dev', 'nowhere');
    await ip('link', 'set', 'nowhere', 'up');
    await ip('link', 'set', 'nowhere-end', 'up');
    await ip('route', 'add', 'default', 'dev', 'nowhere');
  });

  test('a folder without its library says what is missing, and installs nothing', async () => {
    await cp(join(release, 'v0.1.0'), join(release, 'cut'), { recursive: true });
    await rm(join(release, 'cut', `libatomic.so.1-${arch}`));
    const said = await failToInstallFrom('cut');
    expect(said).toMatch(/lacks libatomic\.so\.1, and .*\/libatomic\.so\.1-\S+, which a release has, cannot be copied/);
    expect(said).toContain('Nothing was installed');
  });

  test('a folder for programs that cannot be written is said before anything is changed', async () => {
    await box.sh('mount -t tmpfs -o ro,mode=755 tmpfs /usr/local/bin');
    const said = await failToInstallFrom('v0.1.0');
    expect(said).toMatch(
      /\/usr\/local\/bin cannot be written.*INSTALL_KAGENT_BIN_DIR=\/opt\/kagent\/bin.*Nothing was changed/,
    );
    await box.sh('umount /usr/local/bin');
  });

  test('is Ready with one command, with a strict umask, a full /tmp, and /var without devices and setuid programs', async () => {
    await box.sh('mount -t tmpfs -o size=4k tmpfs /tmp && head -c 4096 /dev/zero >/tmp/full');
    await box.sh('mount -o remount,bind,nosuid,nodev /var/lib/kagent');
    const said = await installFrom('v0.1.0');
    expect(said).toContain('wrote /usr/local/lib/libatomic-kagent.so.1, which this box lacked');
    expect(said).toMatch(/kagent is Ready[^]*What next:/);
    expect(said).not.toContain('components:');
    expect(await dnsOf()).toMatchObject({ status: 'True', reason: 'Answers' });
    const modes = await box.sh(
      'stat -c "%a %n" /etc/kagent /usr/local/bin/kagent /var/lib/kagent/agent/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/*/fs',
    );
    expect(modes.split('\n').filter((line) => line !== '' && !line.startsWith('755 '))).toEqual([]);
  });

  test('what drops the packets of Pods is left to do on the last screen, and a condition until it is gone', async () => {
    const firewall = (...rule: readonly string[]) =>
      box.sh(`PATH=$PATH:/var/lib/kagent/data/current/aux iptables ${rule.join(' ')}`);
    await firewall('-I INPUT -i cni0 -j DROP');
    await box.kubectl('-n', 'kube-system', 'delete', 'pod', '-l', 'k8s-app=kube-dns', '--grace-period=0', '--force');
    const said = await installFrom('v0.1.0', 'INSTALL_KAGENT_FORCE_RESTART=true');
    expect(said).toMatch(
      /What next:[^]*Left to do[^]*warning  components: cluster-dns: no Pod of CoreDNS is Ready[^]*fix: see 'kagent doctor' for a firewall/,
    );
    const status = await box.kagent(['status']);
    expect(status.stdout).toMatch(/ready, except cluster-dns,/);
    expect(status.code).toBe(1);
    await firewall('-D INPUT -i cni0 -j DROP');
    await eventually(async () => (await dnsOf())?.status === 'True', {
      withinMs: 90_000,
      what: 'the DNS of the cluster',
    });
    expect((await box.kagent(['status'])).stdout).toMatch(/server, node a2: ready, pid/);
  });
});
