/** What stories about network policies are made of. */

export const json = (...objects: readonly object[]) =>
  objects.map((object) => `---\n${JSON.stringify(object)}\n`).join('');

/** Web servers on two ports, of which the first has a name. */
export const webPod = (name: string, nodeName: string, labels: Readonly<Record<string, string>>) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels },
  spec: {
    nodeName,
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'web',
        image: 'IMAGE',
        command: [
          'sh',
          '-c',
          'mkdir /www; hostname >/www/index.html; httpd -p 8080 -h /www; exec httpd -f -p 80 -h /www',
        ],
        ports: [{ name: 'http', containerPort: 80 }],
        readinessProbe: { httpGet: { port: 80 }, periodSeconds: 1 },
      },
    ],
  },
});

export const policy = (name: string, spec: object) => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name },
  spec,
});
