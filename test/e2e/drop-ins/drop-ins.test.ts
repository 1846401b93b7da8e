import { afterAll, beforeAll, expect, test } from 'vitest';
import { createBox, type BoxWithLab } from '../../helpers/cluster.ts';

const containerd = '/var/lib/kagent/agent/etc/containerd';
const kubelet = '/var/lib/kagent/agent/etc/kubelet.conf.d';

let box: BoxWithLab;
beforeAll(async () => {
  box = await createBox('drop-ins');
  await put(
    `${containerd}/conf.d/other-runtime.toml`,
    `version = 4\n[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.other]\n  runtime_type = 'io.containerd.runc.v2'\n`,
  );
  await put(
    `${kubelet}/10-pods.conf`,
    'apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nmaxPods: 42\n',
  );
  await box.startServer('--default-runtime=other', '--nonroot-devices', '--disable-kube-proxy');
}, 200_000);
afterAll(() => box?.wipe());

async function put(path: string, text: string): Promise<void> {
  await box.sh(`mkdir -p ${path.slice(0, path.lastIndexOf('/'))} && cat >${path} <<'END'\n${text}END`);
}

interface ContainerdSays {
  readonly device_ownership_from_security_context: boolean;
  readonly containerd: { readonly runtimes: object; readonly defaultRuntimeName: string };
}

test('a drop-in adds to what kagent tells containerd, and another one to the kubelet', async () => {
  const { stdout } = await box.kagent(['crictl', 'info']);
  const { config } = JSON.parse(stdout) as { config: ContainerdSays };
  expect(Object.keys(config.containerd.runtimes).toSorted()).toEqual(['other', 'runc']);
  expect(await box.kubectl('get', 'nodes', '-o', 'jsonpath={.items[0].status.allocatable.pods}')).toBe('42');
});

test('flags of containerd’s settings reach it, and a cluster may be without kube-proxy', async () => {
  const { stdout } = await box.kagent(['crictl', 'info']);
  const { config } = JSON.parse(stdout) as { config: ContainerdSays };
  expect(config.containerd.defaultRuntimeName).toBe('other');
  expect(config.device_ownership_from_security_context).toBe(true);
  const { components, isStarted } = await box.status();
  expect(isStarted).toBe(true);
  expect(components.find(({ name }) => name === 'kube-proxy')).not.toHaveProperty('pid');
});

test.each([
  [`${containerd}/conf.d/broken.toml`, 'version = 4\n[plugins\n', /containerd.*conf\.d\/broken\.toml/s],
  [
    `${containerd}/config.toml.tmpl`,
    '{{ template "base" . }}\n',
    /config\.toml\.tmpl: kagent takes no templates.*conf\.d\/NAME\.toml/s,
  ],
  [`${kubelet}/20-broken.conf`, 'kind: KubeletConfiguration\nmaxPods: [\n', /kubelet.*20-broken\.conf/s],
])(
  'a start that %s prevents says so',
  async (path, text, said) => {
    const before = box.running();
    await box.signal((await box.status()).pid, 'TERM');
    await before.exited;
    await put(path, text);
    const { code, stdout, stderr } = await box.kagent(['server'], { timeoutMs: 60_000 });
    expect(code).toBe(1);
    expect(`${stdout}${stderr}`.split('\nkagent: ').at(-1)).toMatch(said);
    await box.sh(`rm ${path}`);
    await box.startServer();
  },
  120_000,
);
