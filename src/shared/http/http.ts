/**
 * @module
 * The one HTTP and HTTPS client: to kube-apiserver, other kagents, the kagent on this host, registries and releases.
 * Knows: node:http and node:https, whom to trust, proxies, redirects, deadlines, size limits.
 * Leaves to others: what an answer means (the rooms), what is reached without a proxy (proxy/).
 * Built on Node's own client, not on undici: docs/decisions/0033-one-http-client.md.
 */
export { httpsAgent, outsideAgents, publicCas, unverifiedAgent, verified } from './agents.ts';
export type { OutsideAgents, TlsCredentials } from './agents.ts';
export { follow, isRedirect, mostRedirects, type Answer, type OutsideRequest } from './redirects.ts';
export { discard, httpRequest, openHttp, SilentError, textOf } from './request.ts';
export type { HttpReply, HttpRequest } from './request.ts';
export { SteadyGet } from './steady-get.ts';
export type { SteadyReply } from './steady-get.ts';
