/** Web servers on port 80 that answer with the name of their pod; ready as soon as they answer. */
interface Extra {
  /** Of the pods' specification, besides what is here. */
  readonly pod?: Readonly<Record<string, unknown>>;
  /** Of the container's. */
  readonly container?: Readonly<Record<string, unknown>>;
}

const podSpec = ({ pod, container }: Extra) => ({
  terminationGracePeriodSeconds: 1,
  containers: [
    {
      name: 'web',
      image: 'IMAGE',
      command: ['sh', '-c', 'mkdir /www; hostname >/www/index.html; exec httpd -f -p 80 -h /www'],
      readinessProbe: { httpGet: { port: 80 }, periodSeconds: 1 },
      ...container,
    },
  ],
  ...pod,
});

const workload = (kind: string, extra: Extra, more: Readonly<Record<string, unknown>> = {}) =>
  manifestOf({
    apiVersion: 'apps/v1',
    kind,
    metadata: { name: 'web' },
    spec: {
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: podSpec(extra) },
      ...more,
    },
  });

/** JSON is YAML; kubectl takes it as such, and what follows after another `---`, where it does not begin with a brace. */
const manifestOf = (object: unknown): string => `---\n${JSON.stringify(object)}\n`;

/** The DaemonSet `web`. */
export const webOnEachNode = workload('DaemonSet', {});

/** The Deployment `web`. */
export const webDeployment = (replicas: number, extra: Extra = {}): string =>
  workload('Deployment', extra, { replicas });

export const webPod = (name: string, extra: Extra = {}): string =>
  manifestOf({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: podSpec(extra) });
