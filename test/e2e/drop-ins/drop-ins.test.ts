import { afterAll, beforeAll, expect, test } from 'vitest';
import { createBox, type BoxWithLab } from '../../helpers/cluster.ts';

const containerd = '/var/lib/kagent/agent/etc/containerd';
const kubelet = '/var/lib/kagent/agent/etc/kubelet.conf.d';

/** In every folder that a person may put files into: links to nothing and to themselves, folders for files, half of a file. */
const oddFiles = `
data=/var/lib/kagent
mkdir -p $data/agent/images $data/agent/pod-manifests $data/server/manifests/closed.yaml $data/server/manifests/sub /etc/kagent
mkdir -p ${containerd}/certs.d/folder.example/hosts.toml
for folder in $data/agent/images $data/agent/pod-manifests $data/server/manifests $data/server/manifests/sub ${containerd}/certs.d
do
  ln -s /not/there $folder/dangling.tar
  ln -s /not/there $folder/dangling.yaml
  ln -s itself.yaml $folder/itself.yaml
done
echo half >$data/agent/images/half.tar.zst
mkfifo $data/agent/images/pipe.txt
printf '\\000' >$data/agent/images/binary.txt
mkdir $data/agent/images.json
mkdir -p $data/logs/kubelet.log
`;

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
  await box.sh(oddFiles);
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

test('a start goes through whatever lies in the folders, and says what it cannot use', async () => {
  const { isReady, components, events } = await box.status();
  expect(isReady).toBe(true);
  const images = components.find(({ name }) => name === 'images')?.condition.message ?? '';
  for (const file of ['dangling.tar', 'itself.yaml', 'half.tar.zst', 'pipe.txt']) expect(images).toContain(`${file}: `);
  const said = events.map(({ message }) => message).join('\n');
  expect(said).toContain('/agent/images/dangling.tar: it links to nothing');
  expect(components.find(({ name }) => name === 'manifests')?.condition).toMatchObject({ status: 'False' });
});

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
  const { components, isReady } = await box.status();
  expect(isReady).toBe(true);
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
