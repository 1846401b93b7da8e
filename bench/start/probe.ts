/**
 * Starts `kagent server` on this box and prints, as JSON, when what was there: milliseconds from the start of the process.
 * Run by start.ts inside a host of the lab; asks every few milliseconds from the same box, by the same clock.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { openKube, readKubeconfig } from '../kube.ts';

const [, , kagent = '', image = '', mode = 'fresh'] = process.argv;
const startedAt = performance.now();
const server = spawn(kagent, ['server'], { stdio: ['ignore', 'ignore', 'pipe'] });
let said = '';
server.stderr.on('data', (bytes: Buffer) => (said += bytes.toString()));
server.once('exit', (code) => {
  if (code === 0) return;
  process.stderr.write(said);
  process.exit(1);
});

const times: Record<string, number> = {};
const mark = (name: string) => (times[name] ??= Math.round(performance.now() - startedAt));

const until = async <T>(look: () => Promise<T | undefined> | T | undefined): Promise<T> => {
  for (;;) {
    const found = await Promise.resolve()
      .then(look)
      .catch(() => undefined);
    if (found !== undefined) return found;
    await delay(10);
  }
};

const kube = openKube(await until(() => readKubeconfig()));

const labels = { app: 'first' };
const script = 'mkdir /www && echo served >/www/index.html && exec httpd -f -p 8080 -h /www';
const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'first' },
  spec: {
    selector: { matchLabels: labels },
    template: {
      metadata: { labels },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'web', image, command: ['sh', '-c', script] }],
      },
    },
  },
};

const served = (address: string) =>
  new Promise<true>((resolve, reject) => {
    const asked = get({ host: address, port: 8080, agent: false, timeout: 500 }, (reply) => {
      reply.resume();
      if (reply.statusCode === 200) resolve(true);
      else reject(new Error('not yet'));
    });
    asked.once('error', reject);
  });

interface Pods {
  readonly items: readonly { readonly status?: { readonly podIP?: string } }[];
}

const apiReady = until(async () => ((await kube.ask('/readyz')).status === 200 ? mark('apiReady') : undefined));
const nodeReady = until(async () => {
  const { items = [] } = JSON.parse((await kube.ask('/api/v1/nodes')).text) as {
    readonly items?: readonly { readonly status: { readonly conditions: readonly Record<string, string>[] } }[];
  };
  const ready = items[0]?.status.conditions.find((condition) => condition['type'] === 'Ready');
  return ready?.['status'] === 'True' ? mark('nodeReady') : undefined;
});
const podServing = (async () => {
  if (mode === 'fresh') {
    await until(async () => {
      const { status } = await kube.ask('/apis/apps/v1/namespaces/default/deployments', deployment);
      return status === 201 || status === 409 ? true : undefined;
    });
  }
  await until(async () => {
    const pods = JSON.parse((await kube.ask('/api/v1/namespaces/default/pods?labelSelector=app%3Dfirst')).text) as Pods;
    const address = pods.items[0]?.status?.podIP;
    return address === undefined ? undefined : await served(address);
  });
  mark('podServing');
})();
await Promise.all([apiReady, nodeReady, podServing]);
const timeline = await until(async () => {
  const asked = get({ socketPath: '/run/kagent/kagent.sock', path: '/status', agent: false });
  const [reply] = (await once(asked, 'response')) as [AsyncIterable<Buffer>];
  let text = '';
  for await (const bytes of reply) text += bytes.toString();
  const status = JSON.parse(text) as { readonly isStarted: boolean; readonly components: readonly unknown[] };
  return status.isStarted ? status.components : undefined;
});
mark('allReady');
kube.close();
server.kill('SIGTERM');
await once(server, 'exit');
process.stdout.write(JSON.stringify({ times, timeline }));
