/**
 * On the server's box: pods of a node that there is not, and policies for them and for the real pods of their namespaces:
 * `node crowd.ts PODS POLICIES`. They are objects of the API alone; what enforces policies does not know.
 */
import { createKubeClient } from '../../src/kube/kube.ts';
import { readKubeconfig } from '../kube.ts';

const [, , pods = '', policies = ''] = process.argv;
const { url, ...credentials } = readKubeconfig();
const kube = createKubeClient({ url, credentials: () => credentials });
const numbers = (count: string) => Array.from({ length: Number(count) }, (_, at) => at);
const namespaceOf = (at: number) => `crowd-${at % 10}`;
const appOf = (at: number) => `app-${Math.floor(at / 10) % 10}`;
const container = { name: 'x', image: 'nothing', ports: [{ name: 'http', containerPort: 8080 }] };

async function pod(at: number): Promise<void> {
  const path = `/api/v1/namespaces/${namespaceOf(at)}/pods`;
  const name = `hollow-${at}`;
  const address = `10.42.${200 + Math.floor(at / 250)}.${(at % 250) + 2}`;
  const metadata = { name, labels: { app: appOf(at) } };
  await kube.create(path, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata,
    spec: { nodeName: 'hollow', containers: [container] },
  });
  const status = { phase: 'Running', podIP: address, podIPs: [{ ip: address }] };
  await kube.mergePatch(`${path}/${name}/status`, { status });
}

async function policy(at: number): Promise<void> {
  const selected = { matchLabels: { app: appOf(at) } };
  const peer = { podSelector: { matchLabels: { app: `app-${at % 7}` } } };
  await kube.create(`/apis/networking.k8s.io/v1/namespaces/${namespaceOf(at)}/networkpolicies`, {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: `policy-${at}` },
    spec: {
      podSelector: selected,
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ from: [peer], ports: [{ port: 'http' }, { port: 443 }] }],
      egress: [{ to: [{ podSelector: {} }] }, { to: [{ ipBlock: { cidr: '0.0.0.0/0', except: ['10.0.0.0/8'] } }] }],
    },
  });
}

async function all(count: string, make: (at: number) => Promise<void>): Promise<void> {
  const left = numbers(count);
  const worker = async (): Promise<void> => {
    for (let at = left.shift(); at !== undefined; at = left.shift()) await make(at);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}

await kube.create('/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name: 'hollow' } });
await all(pods, pod);
await all(policies, policy);
kube.close();
