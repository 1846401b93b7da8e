/** A web server on each node, which answers with the name of its pod; ready as soon as it answers. */
export const webOnEachNode = `
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
        image: IMAGE
        command: [sh, -c, 'mkdir /www; hostname >/www/index.html; exec httpd -f -p 80 -h /www']
        readinessProbe: { httpGet: { port: 80 }, periodSeconds: 1 }
`;
