/** What the add-on is in the cluster: from values to objects, and nothing else. Names and labels are those of k3s's chart. */
import type { Json, KubeObject } from '../../../kube/kube.ts';
import type { TraefikPort, TraefikValues } from './values.ts';

/** An object, and where it is applied. */
export interface TraefikObject {
  readonly path: string;
  readonly kind: string;
  readonly object: Json;
}

export const namespace = 'kube-system';
export const ingressController = 'traefik.io/ingress-controller';
export const gatewayController = 'traefik.io/gateway-controller';
export const gatewayName = 'traefik-gateway';
/** Whose objects are kagent's: what does not have it is left alone. */
export const ownLabel = { 'kagent.sh/addon': 'traefik' } as const;
export const isOwn = ({ labels: of }: KubeObject['metadata']) =>
  of?.['kagent.sh/addon'] === ownLabel['kagent.sh/addon'];
export const ownSelector = 'labelSelector=kagent.sh%2Faddon%3Dtraefik';
export const gatewayClassPath = '/apis/gateway.networking.k8s.io/v1/gatewayclasses/traefik';
export const deploymentPath = `/apis/apps/v1/namespaces/${namespace}/deployments/traefik`;

const selector = { 'app.kubernetes.io/name': 'traefik', 'app.kubernetes.io/instance': `traefik-${namespace}` };
const labels = { ...selector, ...ownLabel };
const roleName = `traefik-${namespace}`;
const metricsPort = 9100;
const pingPort = 8080;

/** @param image its full name @param replicas of the Deployment, as they are to be now */
export function traefikObjects(values: TraefikValues, image: string, replicas: number): readonly TraefikObject[] {
  return [
    inNamespace('v1', 'ServiceAccount', 'serviceaccounts', 'traefik', {}),
    ofCluster('rbac.authorization.k8s.io/v1', 'ClusterRole', 'clusterroles', roleName, { rules }),
    ofCluster('rbac.authorization.k8s.io/v1', 'ClusterRoleBinding', 'clusterrolebindings', roleName, {
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: roleName },
      subjects: [{ kind: 'ServiceAccount', name: 'traefik', namespace }],
    }),
    inNamespace('v1', 'Service', 'services', 'traefik', { spec: service(values) }),
    ofCluster('gateway.networking.k8s.io/v1', 'GatewayClass', 'gatewayclasses', 'traefik', {
      spec: { controllerName: gatewayController },
    }),
    inNamespace('gateway.networking.k8s.io/v1', 'Gateway', 'gateways', gatewayName, { spec: gateway(values) }),
    inNamespace('apps/v1', 'Deployment', 'deployments', 'traefik', { spec: deployment(values, image, replicas) }),
    ofCluster(
      'networking.k8s.io/v1',
      'IngressClass',
      'ingressclasses',
      'traefik',
      { spec: { controller: ingressController } },
      { 'ingressclass.kubernetes.io/is-default-class': 'true' },
    ),
  ];
}

/** Any namespace may have an Ingress at this port, so any may have a route. */
function gateway({ ports }: TraefikValues): Json {
  const web = ports.find(({ name }) => name === 'web');
  const port = web?.exposedPort ?? web?.port ?? 80;
  return {
    gatewayClassName: 'traefik',
    listeners: [{ name: 'web', port, protocol: 'HTTP', allowedRoutes: { namespaces: { from: 'All' } } }],
  };
}

const read = ['get', 'list', 'watch'];
const rules = [
  { apiGroups: [''], resources: ['services', 'secrets', 'nodes', 'configmaps'], verbs: read },
  { apiGroups: [''], resources: ['namespaces'], verbs: ['list', 'watch'] },
  { apiGroups: [''], resources: ['pods'], verbs: ['get'] },
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
  { apiGroups: ['networking.k8s.io'], resources: ['ingresses', 'ingressclasses'], verbs: read },
  { apiGroups: ['networking.k8s.io'], resources: ['ingresses/status'], verbs: ['update'] },
  { apiGroups: ['traefik.io'], resources: ['*'], verbs: read },
  { apiGroups: ['gateway.networking.k8s.io'], resources: ['*'], verbs: read },
  {
    apiGroups: ['gateway.networking.k8s.io'],
    resources: [
      'gatewayclasses/status',
      'gateways/status',
      'httproutes/status',
      'grpcroutes/status',
      'tcproutes/status',
      'tlsroutes/status',
      'referencegrants/status',
      'backendtlspolicies/status',
    ],
    verbs: ['update'],
  },
];

function service({ ports, serviceType, externalTrafficPolicy }: TraefikValues): Json {
  return {
    type: serviceType,
    ...(externalTrafficPolicy !== undefined && { externalTrafficPolicy }),
    selector,
    ports: ports.flatMap(({ name, protocol, exposedPort, nodePort }) =>
      exposedPort === undefined
        ? []
        : [{ name, port: exposedPort, protocol, targetPort: name, ...(nodePort !== undefined && { nodePort }) }],
    ),
  };
}

function deployment(values: TraefikValues, image: string, replicas: number): Json {
  const annotations = {
    'prometheus.io/scrape': 'true',
    'prometheus.io/port': String(metricsPort),
    'prometheus.io/path': '/metrics',
  };
  return {
    replicas,
    revisionHistoryLimit: 2,
    // The next one serves before one ends.
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
    selector: { matchLabels: selector },
    template: { metadata: { labels: selector, annotations }, spec: pod(values, image) },
  };
}

function pod(values: TraefikValues, image: string): Json {
  return {
    priorityClassName: 'system-cluster-critical',
    serviceAccountName: 'traefik',
    automountServiceAccountToken: true,
    terminationGracePeriodSeconds: 60,
    nodeSelector: { 'kubernetes.io/os': 'linux', ...values.nodeSelector },
    tolerations: values.tolerations,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 65_532,
      runAsGroup: 65_532,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [container(values, image)],
    volumes: [
      { name: 'data', emptyDir: {} },
      { name: 'tmp', emptyDir: {} },
    ],
  };
}

function container(values: TraefikValues, image: string): Json {
  const ping = { httpGet: { path: '/ping', port: pingPort }, timeoutSeconds: 2 };
  return {
    name: 'traefik',
    image,
    imagePullPolicy: 'IfNotPresent',
    args: argumentsOf(values),
    resources: values.resources,
    ports: [
      { name: 'traefik', containerPort: pingPort, protocol: 'TCP' },
      { name: 'metrics', containerPort: metricsPort, protocol: 'TCP' },
      ...values.ports.map(({ name, port, protocol }) => ({ name, containerPort: port, protocol })),
    ],
    startupProbe: { ...ping, periodSeconds: 1, failureThreshold: 120 },
    readinessProbe: { ...ping, periodSeconds: 10, failureThreshold: 1 },
    livenessProbe: { ...ping, periodSeconds: 10, failureThreshold: 3 },
    securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
    volumeMounts: [
      { name: 'data', mountPath: '/data' },
      { name: 'tmp', mountPath: '/tmp' },
    ],
  };
}

function argumentsOf({ ports, logLevel, hasAccessLog, additionalArguments }: TraefikValues): readonly string[] {
  return [
    `--entryPoints.traefik.address=:${pingPort}/tcp`,
    `--entryPoints.metrics.address=:${metricsPort}/tcp`,
    ...ports.flatMap(entryPoint),
    '--entryPoints.web.asDefault=true',
    '--entryPoints.websecure.asDefault=true',
    '--entryPoints.websecure.http.tls=true',
    '--ping=true',
    '--metrics.prometheus=true',
    '--metrics.prometheus.entryPoint=metrics',
    '--providers.kubernetesCRD=true',
    '--providers.kubernetesCRD.allowEmptyServices=true',
    '--providers.kubernetesIngress=true',
    '--providers.kubernetesIngress.allowEmptyServices=true',
    `--providers.kubernetesIngress.ingressEndpoint.publishedService=${namespace}/traefik`,
    '--providers.kubernetesGateway=true',
    '--providers.kubernetesGateway.statusAddress.service.name=traefik',
    `--providers.kubernetesGateway.statusAddress.service.namespace=${namespace}`,
    // Upstream's two seconds are two seconds of requests to pods that are gone.
    '--providers.providersThrottleDuration=100ms',
    `--log.level=${logLevel}`,
    ...(hasAccessLog ? ['--accessLog=true'] : []),
    ...additionalArguments,
  ];
}

function entryPoint({ name, port, protocol }: TraefikPort): readonly string[] {
  const address = `--entryPoints.${name}.address=:${port}/${protocol.toLowerCase()}`;
  // Until every node's kube-proxy has heard that the pod ends, connections still come.
  const grace = `--entryPoints.${name}.transport.lifeCycle.requestAcceptGraceTimeout=3s`;
  return protocol === 'TCP' ? [address, grace] : [address];
}

type Place = readonly [apiVersion: string, kind: string, resource: string, name: string, rest: Json];

function ofCluster(...[apiVersion, kind, resource, name, rest, annotations]: [...Place, Json?]): TraefikObject {
  const metadata = { name, labels, ...(annotations !== undefined && { annotations }) };
  return { path: `${rootOf(apiVersion)}/${resource}/${name}`, kind, object: { apiVersion, kind, metadata, ...rest } };
}

function inNamespace(...[apiVersion, kind, resource, name, rest]: Place): TraefikObject {
  const path = `${rootOf(apiVersion)}/namespaces/${namespace}/${resource}/${name}`;
  return { path, kind, object: { apiVersion, kind, metadata: { name, namespace, labels }, ...rest } };
}

const rootOf = (apiVersion: string) => (apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`);
