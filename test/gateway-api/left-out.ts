/** Which tests of the suite are not run, and which features Traefik does not claim: why, and what to use instead. */

/** By the test's name. */
export const leftOut: Readonly<Record<string, string>> = {
  HTTPRouteMultipleGateways:
    'two Gateways with the same port and no hostname share one socket in Traefik, so that a route of one answers at the other. Traefik leaves it out of its own report as well',
};

/** By the feature's name: what does the same, where there is something. The first that fits. */
export const notClaimed: readonly (readonly [name: RegExp, why: string])[] = [
  [/^ListenerSet$/, 'Traefik 3.7 does not read ListenerSets'],
  [/^HTTPRouteCORS$/, 'a Middleware with `headers`, as an `extensionRef` filter, does it'],
  [/^HTTPRouteRequest(Multiple|Percentage)?Mirrors?$/, 'a TraefikService with `mirroring`, as a `backendRef`, does it'],
  [/^HTTPRouteRetry/, 'a Middleware with `retry`, as an `extensionRef` filter, does it'],
  [/Timeout$/, 'a ServersTransport has timeouts of backends, for an IngressRoute'],
  [/^GatewayFrontendClientCertificate/, 'a TLSOption with `clientAuth` does it, for an IngressRoute'],
  [/^GatewayBackendClientCertificate$/, 'a ServersTransport has certificates for backends, for an IngressRoute'],
  [/^Gateway(StaticAddresses|AddressEmpty)$/, 'all Gateways have the addresses of the one Service in front'],
  [/^GatewayInfrastructurePropagation$/, 'no objects are made for a Gateway that could have its labels'],
  [/^GatewayHTTP/, 'the routes of all listeners of a port are one list in Traefik'],
  [/^BackendTLSPolicySANValidation$/, 'Traefik checks the host name alone'],
];
