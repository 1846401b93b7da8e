import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openIssuer } from './issuer.ts';
import type { Issuer } from './issuer.ts';
import { createBox } from '../../helpers/cluster.ts';
import type { BoxWithLab } from '../../helpers/cluster.ts';
import { eventually } from '../../helpers/wait.ts';

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
  const { isStarted, components, events } = await box.status();
  expect(isStarted).toBe(true);
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

/** Flags of every component, one address to listen on, and a proxy that answers nobody: all in one start. */
describe('a server whose operator says much', () => {
  const proxyPort = 3128;
  /** What each program is to have, by its own word: `/flagz`. */
  const args = {
    'kube-apiserver': [
      'event-ttl=33m0s',
      'max-requests-inflight=333',
      'goaway-chance=0.001',
      'min-request-timeout=1000',
      'kubelet-timeout=7s',
      'default-not-ready-toleration-seconds=200',
      'service-account-max-token-expiration=48h0m0s',
      'profiling=true',
    ],
    'kube-controller-manager': [
      'secure-port=10357',
      'bind-address=0.0.0.0',
      'node-monitor-grace-period=55s',
      'concurrent-deployment-syncs=7',
      'terminated-pod-gc-threshold=77',
      'kube-api-qps=77',
    ],
    'kube-scheduler': ['secure-port=10359', 'pod-max-in-unschedulable-pods-duration=7m0s'],
    kubelet: ['event-qps=7', 'registry-qps=9', 'healthz-port=10348', 'image-gc-high-threshold=81', 'pod-max-pids=5000'],
    'kube-proxy': [
      'metrics-bind-address=0.0.0.0:10349',
      'healthz-bind-address=0.0.0.0:10356',
      'iptables-sync-period=17s',
    ],
  };
  /** As `flag=value`: which sign is between them is another one at each start. */
  const flagzAt = async (server: string) => {
    const flags = server === '' ? [] : ['--server', server, '--insecure-skip-tls-verify'];
    const { stdout } = await box.tryKubectl(...flags, 'get', '--raw', '/flagz');
    return stdout.replaceAll(/^([\w-]+)(?:: |:|=| )/gm, '$1=').split('\n');
  };
  const address = () => box.host.address;
  const proxied = async () =>
    Number((await box.sh(`iptables -nvxL INPUT | awk '/dpt:${proxyPort}/ { print $1 }'`)).trim());

  let issuer: Issuer;

  beforeAll(async () => {
    issuer = await openIssuer(box, '/root/issuer');
    const before = box.running();
    await box.signal((await box.status()).pid, 'TERM');
    await before.exited;
    await put(
      '/root/kubelet.yaml',
      'apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nmaxPods: 41\nsyncFrequency: 57s\n',
    );
    await put(
      '/root/scheduler.yaml',
      'apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nprofiles: [{schedulerName: mine}]\n',
    );
    await box.sh(`iptables -I INPUT -p tcp --dport ${proxyPort} -j REJECT --reject-with tcp-reset`);
    const more = {
      'kube-apiserver': [
        'anonymous-auth=false',
        `oidc-issuer-url=${issuer.url}`,
        `oidc-ca-file=${issuer.caFile}`,
        'oidc-client-id=web',
        'oidc-username-prefix=-',
        'oidc-required-claim=site=here',
        'oidc-groups-claim=groups',
        'enable-admission-plugins=DenyServiceExternalIPs',
        'service-account-issuer=https://issuer.example.com',
      ],
      'kube-scheduler': ['config=/root/scheduler.yaml'],
      kubelet: ['config=/root/kubelet.yaml'],
    };
    const flags = [...Object.entries(args), ...Object.entries(more)].flatMap(([program, list]) =>
      list.map((arg) => `--${program}-arg=${arg}`),
    );
    const proxy = `http://${address()}:${proxyPort}`;
    const start = box.run([
      'env',
      `HTTP_PROXY=${proxy}`,
      `HTTPS_PROXY=${proxy}`,
      'NO_PROXY=example.org',
      '/usr/local/bin/kagent',
      'server',
      `--bind-address=${address()}`,
      ...flags,
    ]);
    const isStarted = eventually(async () => (await box.status()).isStarted, {
      withinMs: 120_000,
      what: 'a started kagent',
    });
    await Promise.race([
      isStarted,
      start.exited.then((code) => {
        throw new Error(`kagent ended with ${code}:\n${start.output()}`);
      }),
    ]);
  }, 150_000);

  test('it listens on that address alone, and its own programs and its kubeconfig know', async () => {
    const listening = await box.sh("ss -Hltn 'sport = :6443 or sport = :9345' | awk '{ print $4 }' | sort");
    expect(listening.trim().split('\n')).toEqual([`${address()}:6443`, `${address()}:9345`]);
    expect(await box.sh('grep server: /etc/kagent/kagent.yaml')).toContain(`https://${address()}:6443`);
    const endpoints = await box.kubectl(
      'get',
      'endpointslices',
      'kubernetes',
      '-o',
      'jsonpath={.endpoints[*].addresses[*]}',
    );
    expect(endpoints).toBe(address());
    expect((await box.kagent(['node', 'ls'])).stdout).toMatch(/s1 +Ready/);
  });

  test('each component has the flags that it was given', async () => {
    expect(await flagzAt('')).toEqual(expect.arrayContaining(args['kube-apiserver']));
    expect(await flagzAt('https://127.0.0.1:10357')).toEqual(expect.arrayContaining(args['kube-controller-manager']));
    expect(await flagzAt('https://127.0.0.1:10359')).toEqual(expect.arrayContaining(args['kube-scheduler']));
    const kubelets = JSON.parse(await box.kubectl('get', '--raw', '/api/v1/nodes/s1/proxy/configz')) as object;
    expect(kubelets).toMatchObject({
      kubeletconfig: {
        maxPods: 42,
        syncFrequency: '57s',
        eventRecordQPS: 7,
        registryPullQPS: 9,
        healthzPort: 10_348,
        imageGCHighThresholdPercent: 81,
        podPidsLimit: 5000,
        clusterDomain: 'cluster.local',
      },
    }); // maxPods of the drop-in, which is read after the file
    const proxys = JSON.parse(await box.sh(`curl -sf --noproxy '*' http://${address()}:10349/configz`)) as object;
    expect(proxys).toMatchObject({
      'kubeproxy.config.k8s.io': {
        iptables: { syncPeriod: '17s' },
        healthzBindAddress: '0.0.0.0:10356',
        mode: 'iptables',
      },
    });
  });

  test('nobody without credentials is let in, kagent’s admission plugin stays, tokens have the operator’s issuer', async () => {
    expect(await box.sh(`curl -sk --noproxy '*' -o /dev/null -w '%{http_code}' https://${address()}:6443/readyz`)).toBe(
      '401',
    );
    expect(await flagzAt('')).toContain('enable-admission-plugins=[NodeRestriction,DenyServiceExternalIPs]');
    const token = await box.kubectl('create', 'token', 'default');
    const [, payload = ''] = token.split('.');
    expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toMatchObject({
      iss: 'https://issuer.example.com',
    });
    const service =
      'apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {externalIPs: [192.0.2.7], ports: [{port: 80}]}\n';
    await expect(box.apply(service)).rejects.toThrow('externalIPs');
    expect(await box.sh('stat -c %u /proc/$(pgrep -x kube-apiserver)')).toBe('2109345001\n');
  });

  test('who has a token of the issuer is who the token says, with every claim that is asked for', async () => {
    /** @returns the answer, and its status on a line of its own */
    const whoami = async (site: string) => {
      const token = issuer.token({ aud: 'web', sub: 'anna', groups: ['dev'], site });
      const review = '{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}';
      const url = `https://${address()}:6443/apis/authentication.k8s.io/v1/selfsubjectreviews`;
      const headers = `-H 'Authorization: Bearer ${token}' -H 'Content-Type: application/json'`;
      // A refusal may cut the connection off before the whole answer has come.
      return await box.sh(`curl -sk --noproxy '*' -w '\\n%{http_code}\\n' ${headers} -d '${review}' ${url} || true`);
    };
    const said = await eventually(async () => /"userInfo": *\{[^]*?\}/.exec(await whoami('here'))?.[0], {
      withinMs: 60_000,
      what: 'kube-apiserver with the issuer’s keys',
    });
    expect(said).toMatch(/"username": *"anna"/);
    expect(said).toMatch(/"dev"/);
    expect(await whoami('elsewhere')).toMatch(/^401$/m);
  }, 90_000);

  test('a pod is scheduled by the profile of the operator’s file, and its log is read', async () => {
    await box.apply(`apiVersion: v1
kind: Pod
metadata: {name: mine}
spec:
  schedulerName: mine
  restartPolicy: Never
  containers: [{name: a, image: IMAGE, command: [sh, -c, 'echo it runs']}]
`);
    await box.kubectl('wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/mine', '--timeout=90s');
    expect(await box.kubectl('logs', 'mine')).toBe('it runs\n');
  }, 120_000);

  test('no packet has gone to the proxy, until an image from outside is pulled', async () => {
    expect(await proxied()).toBe(0);
    const { code, stderr } = await box.kagent(['crictl', 'pull', 'registry.example.com/a:1'], { timeoutMs: 60_000 });
    expect(code).not.toBe(0);
    expect(stderr).toContain(`${address()}:${proxyPort}`);
    expect(await proxied()).toBeGreaterThan(0);
  }, 90_000);

  test.each([
    [['--kubelet-arg', 'node-ip=10.9.9.9'], "kubelet-arg 'node-ip=10.9.9.9' cannot be set: .*; use node-ip"],
    [['--kube-proxy-arg', 'config=/etc/p.yaml'], "kube-proxy-arg 'config=/etc/p.yaml' cannot be set: .*proxy-mode"],
    [
      ['--kube-apiserver-arg', 'secure-port=7443'],
      "kube-apiserver-arg 'secure-port=7443' cannot be set: .*https-listen-port",
    ],
    [
      ['--bind-address', '10.9.9.9'],
      'bind-address 10.9.9.9 is no address of this host, which has .*; say one of these',
    ],
  ])(
    '%j is refused in one sentence, with what works',
    async (flags, said) => {
      const { pid } = await box.status().catch(() => ({ pid: undefined }));
      if (pid !== undefined) {
        await box.signal(pid, 'TERM');
        await eventually(
          () =>
            box.status().then(
              () => false,
              () => true,
            ),
          { what: 'the end of kagent' },
        );
      }
      const { code, stderr } = await box.kagent(['server', ...flags], { timeoutMs: 60_000 });
      expect(stderr.trim().split('\nkagent: ').at(-1)).toMatch(new RegExp(said));
      expect(code).toBe(flags[0] === '--bind-address' ? 1 : 2);
    },
    60_000,
  );
});
