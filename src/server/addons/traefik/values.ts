/** What a person may set, by the names of k3s's chart. Whatever else is in it is refused by its name. */
import * as z from 'zod';
import { TraefikValueError } from './errors.ts';

const port = z.int().min(1).max(65_535);
const Port = z.strictObject({
  /** In the pod. */
  port: port.optional(),
  /** Of the Service. */
  exposedPort: port.optional(),
  nodePort: port.optional(),
  protocol: z.enum(['TCP', 'UDP']).optional(),
  expose: z.strictObject({ default: z.boolean() }).optional(),
});
const levels = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL', 'PANIC'] as const;
const Values = z.strictObject({
  deployment: z.strictObject({ replicas: z.int().positive().optional() }).optional(),
  ports: z.record(z.string().regex(/^[a-z]([-a-z0-9]{0,13}[a-z0-9])?$/, 'it is no name of a port'), Port).optional(),
  additionalArguments: z.array(z.string().regex(/^--/, 'an argument begins with --')).optional(),
  nodeSelector: z.record(z.string(), z.string()).optional(),
  tolerations: z.array(z.record(z.string(), z.unknown())).optional(),
  resources: z.record(z.string(), z.unknown()).optional(),
  service: z
    .strictObject({
      type: z.enum(['LoadBalancer', 'NodePort', 'ClusterIP']).optional(),
      spec: z.strictObject({ externalTrafficPolicy: z.enum(['Cluster', 'Local']).optional() }).optional(),
    })
    .optional(),
  logs: z
    .strictObject({
      general: z.strictObject({ level: z.enum(levels).optional() }).optional(),
      access: z.strictObject({ enabled: z.boolean().optional() }).optional(),
    })
    .optional(),
});

export interface TraefikPort {
  readonly name: string;
  readonly port: number;
  readonly protocol: 'TCP' | 'UDP';
  /** Undefined: the Service does not have it. */
  readonly exposedPort: number | undefined;
  readonly nodePort: number | undefined;
}

export interface TraefikValues {
  readonly replicas: number;
  readonly ports: readonly TraefikPort[];
  readonly additionalArguments: readonly string[];
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly tolerations: readonly Readonly<Record<string, unknown>>[];
  readonly resources: Readonly<Record<string, unknown>>;
  readonly serviceType: 'LoadBalancer' | 'NodePort' | 'ClusterIP';
  readonly externalTrafficPolicy: 'Cluster' | 'Local' | undefined;
  readonly logLevel: (typeof levels)[number];
  readonly hasAccessLog: boolean;
}

/** In the pod, where it is not root; what is in front of it has 80 and 443. */
const usualPorts = {
  web: { port: 8000, exposedPort: 80 },
  websecure: { port: 8443, exposedPort: 443 },
} as const;
const usualTolerations = [
  { key: 'CriticalAddonsOnly', operator: 'Exists' },
  { key: 'node-role.kubernetes.io/control-plane', operator: 'Exists', effect: 'NoSchedule' },
];
/** The pod's own, for probes and metrics. */
const reserved: ReadonlySet<number> = new Set([8080, 9100]);

/** @throws {TraefikValueError} */
export function readValues(values: unknown): TraefikValues {
  const { success, data, error } = Values.safeParse(values ?? {});
  if (!success) throw valueError(error.issues[0]);
  return {
    replicas: data.deployment?.replicas ?? 1,
    ports: portsOf(data.ports ?? {}),
    additionalArguments: data.additionalArguments ?? [],
    nodeSelector: data.nodeSelector ?? {},
    tolerations: data.tolerations ?? usualTolerations,
    resources: data.resources ?? { requests: { cpu: '50m', memory: '50Mi' } },
    serviceType: data.service?.type ?? 'LoadBalancer',
    externalTrafficPolicy: data.service?.spec?.externalTrafficPolicy,
    logLevel: data.logs?.general?.level ?? 'INFO',
    hasAccessLog: data.logs?.access?.enabled ?? false,
  };
}

function valueError(issue: z.core.$ZodIssue | undefined): TraefikValueError {
  const path = (issue?.path ?? []).map(String);
  if (issue?.code === 'unrecognized_keys')
    return new TraefikValueError([...path, issue.keys[0] ?? ''].join('.'), 'kagent does not know it');
  return new TraefikValueError(path.join('.') || 'itself', issue?.message ?? 'it is not understood');
}

type Ports = NonNullable<z.infer<typeof Values>['ports']>;

function portsOf(asked: Ports): readonly TraefikPort[] {
  const names = [...new Set([...Object.keys(usualPorts), ...Object.keys(asked)])];
  const ports = names.map((name) => portOf(name, asked[name]));
  for (const [index, one] of ports.entries()) {
    const other = ports.slice(0, index).find(({ port: taken }) => taken === one.port);
    const owner = reserved.has(one.port) ? 'probes or metrics' : other?.name;
    if (owner !== undefined)
      throw new TraefikValueError(`ports.${one.name}.port`, `${one.port} is the port of ${owner}`);
  }
  return ports;
}

function portOf(name: string, asked: Ports[string] | undefined): TraefikPort {
  const usual = name === 'web' || name === 'websecure' ? usualPorts[name] : undefined;
  const inPod = asked?.port ?? usual?.port;
  if (inPod === undefined) throw new TraefikValueError(`ports.${name}.port`, 'it is missing');
  const isExposed = asked?.expose?.default ?? usual !== undefined;
  return {
    name,
    port: inPod,
    protocol: asked?.protocol ?? 'TCP',
    exposedPort: isExposed ? (asked?.exposedPort ?? usual?.exposedPort ?? inPod) : undefined,
    nodePort: asked?.nodePort,
  };
}
