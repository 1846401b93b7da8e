/**
 * The status of the GatewayClass. Traefik writes it as long as it runs; before that nobody would, and whoever is about to make a Gateway
 * waits for it first.
 */
import type { Json, KubeObject } from '../../../kube/kube.ts';

export interface GatewayClass extends KubeObject {
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly supportedFeatures?: readonly { readonly name: string }[];
  };
}

/** As the Traefik in the bundle says it, in its order. */
const supportedFeatures = [
  'BackendTLSPolicy',
  'GRPCRoute',
  'GRPCRouteNamedRouteRule',
  'Gateway',
  'GatewayPort8080',
  'HTTPRoute',
  'HTTPRoute303RedirectStatusCode',
  'HTTPRoute307RedirectStatusCode',
  'HTTPRoute308RedirectStatusCode',
  'HTTPRouteBackendProtocolH2C',
  'HTTPRouteBackendProtocolWebSocket',
  'HTTPRouteBackendRequestHeaderModification',
  'HTTPRouteDestinationPortMatching',
  'HTTPRouteHostRewrite',
  'HTTPRouteMethodMatching',
  'HTTPRouteNamedRouteRule',
  'HTTPRouteParentRefPort',
  'HTTPRoutePathRedirect',
  'HTTPRoutePathRewrite',
  'HTTPRoutePortRedirect',
  'HTTPRouteQueryParamMatching',
  'HTTPRouteResponseHeaderModification',
  'HTTPRouteSchemeRedirect',
  'ReferenceGrant',
  'TLSRoute',
  'TLSRouteModeMixed',
  'TLSRouteModeTerminate',
];

/** @param now RFC 3339 @returns a merge patch, undefined where the status has it already */
export function acceptance({ metadata, status }: GatewayClass, now: string): Json | undefined {
  const isAccepted = (status?.conditions ?? []).some((one) => one.type === 'Accepted' && one.status === 'True');
  const said = (status?.supportedFeatures ?? []).map(({ name }) => name);
  if (isAccepted && said.join() === supportedFeatures.join()) return undefined;
  const accepted = {
    type: 'Accepted',
    status: 'True',
    reason: 'Accepted',
    message: 'Traefik starts with the first Gateway or route',
    observedGeneration: metadata['generation'] ?? 1,
    lastTransitionTime: now,
  };
  return { status: { conditions: [accepted], supportedFeatures: supportedFeatures.map((name) => ({ name })) } };
}
