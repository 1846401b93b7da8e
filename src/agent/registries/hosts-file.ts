import type { Endpoint, Registry } from './endpoints.ts';

/** How containerd reaches an endpoint through kagent. */
export interface Relayed {
  readonly url: string;
  readonly header: readonly [name: string, value: string];
}

export const hostsFileHead = '# Written by kagent from registries.yaml; changes are lost.';

/**
 * containerd reads it at each pull, so a change needs no restart.
 * @param relayed of the endpoints that containerd cannot serve alone
 * @see containerd v2.4 docs/hosts.md
 */
export function hostsFile(registry: Registry, relayed: (endpoint: Endpoint) => Relayed | undefined): string {
  const { mirrors, last } = registry;
  const via = relayed(last);
  const root = via?.url ?? last.url?.href;
  return [
    hostsFileHead,
    ...(root === undefined ? [] : [`server = ${toml(root)}`]),
    ...settings(last, via),
    ...mirrors.flatMap((mirror) => {
      const relay = relayed(mirror);
      return [
        '',
        `[host.${toml(relay?.url ?? mirror.url?.href ?? '')}]`,
        '  capabilities = ["pull", "resolve"]',
        ...settings(mirror, relay).map((line) => `  ${line}`),
      ];
    }),
    '',
  ].join('\n');
}

function settings({ overridesPath, tls }: Endpoint, relay: Relayed | undefined): readonly string[] {
  if (relay !== undefined) {
    const [name, value] = relay.header;
    return [`header = { ${toml(name)} = [${toml(value)}] }`];
  }
  const { caFile, certFile, keyFile, skipVerify } = tls;
  return [
    ...(overridesPath ? ['override_path = true'] : []),
    ...(caFile === undefined ? [] : [`ca = ${toml(caFile)}`]),
    ...(certFile === undefined || keyFile === undefined ? [] : [`client = [[${toml(certFile)}, ${toml(keyFile)}]]`]),
    ...(skipVerify ? ['skip_verify = true'] : []),
  ];
}

/** A JSON string is a TOML basic string. */
function toml(text: string): string {
  return JSON.stringify(text);
}
