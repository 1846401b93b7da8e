/** What kube-apiserver would answer, as far as the memory reaches. Nothing here knows of sockets. */
import { rfc3339 } from '../../shared/clock.ts';
import type { Clock } from '../../shared/clock.ts';
import { parseJson } from '../../shared/json/json.ts';
import type { Copy } from './copy.ts';
import { isJson, keyOf, objectKey } from '../../kube/kube.ts';
import type { Json, KubeObject } from '../../kube/kube.ts';
import { merged } from './merge.ts';
import { allResources, apiVersionOf, resources } from './resources.ts';
import type { Program, Resource } from './resources.ts';
import { fieldFilter, labelFilter, selectedName } from './selectors.ts';
import type { Filter } from './selectors.ts';
import { alreadyExists, badRequest, forbidden, notFound, serverAway } from './status.ts';

export interface Question {
  readonly program: Program;
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly contentType: string;
  readonly body: string;
}

export type Answer =
  | { readonly status: number; readonly body: Json | string }
  | { readonly status: 200; readonly watch: WatchAnswer };

/** These events, then whatever changes, until the time is over. */
export interface WatchAnswer {
  readonly events: readonly WatchEvent[];
  readonly follow: (onEvent: (event: WatchEvent) => void) => () => void;
  readonly timeoutMs: number;
}

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'BOOKMARK';
  readonly object: Json;
}

export interface AnswersOptions {
  readonly copy: Copy;
  readonly nodeName: string;
  readonly kubernetesVersion: string;
  readonly clock: Clock;
}

/** `/api/v1/namespaces/NAMESPACE/pods/NAME/status`, with and without each of its parts */
const objectPath =
  /^(?<root>\/api\/v1|\/apis\/[^/]+\/[^/]+)(?:\/namespaces\/(?<namespace>[^/]+))?\/(?<plural>[^/]+)(?:\/(?<name>[^/]+))?(?:\/(?<subresource>[^/]+))?$/;

export function createAnswers(options: AnswersOptions): (question: Question) => Answer {
  const { copy } = options;
  return (question) => {
    const { program, method } = question;
    const url = new URL(question.url, 'https://offline');
    if (/^\/(livez|readyz|healthz)(\/|$)/.test(url.pathname)) return { status: 200, body: 'ok' };
    if (url.pathname === '/version') return { status: 200, body: versionOf(options.kubernetesVersion) };
    const parts = objectPath.exec(url.pathname)?.groups;
    if (parts === undefined) return serverAway(url.pathname);
    const target = targetOf(parts);
    const special = specialAnswer(target, question, options);
    if (special !== undefined) return special;
    const known = allResources.find(({ root, name }) => root === target.root && name === target.plural);
    if (known === undefined) return serverAway(url.pathname);
    if (!known.readers.includes(program)) return forbidden(program, method, known);
    if (method === 'GET') {
      if (target.subresource !== undefined) return serverAway(url.pathname);
      if (target.name !== undefined) return one(copy, known, objectKey(target.namespace, target.name));
      const name = selectedName(url.searchParams.get('fieldSelector') ?? '');
      if (known.extent === 'named' && name === undefined) return forbidden(program, 'list', known);
      return many(copy, known, target.namespace, url.searchParams);
    }
    if (method === 'POST' && known === resources.nodes) return alreadyExists(known, options.nodeName);
    if (method === 'PATCH' || method === 'PUT') return write(known, target, question, options);
    return serverAway(url.pathname);
  };
}

interface Target {
  readonly root: string;
  readonly namespace: string | undefined;
  readonly plural: string;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
}

function targetOf(parts: Readonly<Record<string, string | undefined>>): Target {
  const text = (part: string | undefined) => (part === undefined ? undefined : decodeURIComponent(part));
  const { root = '', plural = '', namespace, name, subresource } = parts;
  return { root, plural, namespace: text(namespace), name: text(name), subresource: text(subresource) };
}

/** What is no object of the memory: leases, events, tokens, and questions about rights. */
function specialAnswer(target: Target, question: Question, options: AnswersOptions): Answer | undefined {
  const { root, plural, subresource, namespace = '', name } = target;
  const { method, program } = question;
  const isPost = method === 'POST';
  if (plural === 'events' && method !== 'GET')
    return { status: isPost ? 201 : 200, body: swallowedEvent(root, namespace) };
  if (program !== 'kubelet') return undefined;
  const isLease = root === '/apis/coordination.k8s.io/v1' && plural === 'leases';
  if (isLease && method !== 'DELETE' && (isPost || name === options.nodeName))
    return { status: isPost ? 201 : 200, body: freshLease(options) };
  if (plural === 'serviceaccounts' && subresource === 'token' && isPost && name !== undefined)
    return { status: 201, body: placeholderToken(namespace, name, options.clock) };
  if (plural === 'subjectaccessreviews' && isPost) {
    const reason = 'the server is away, and nobody else can say who may do this';
    return { status: 201, body: review('authorization', 'SubjectAccessReview', { allowed: false, reason }) };
  }
  if (plural === 'tokenreviews' && isPost) {
    const error = 'the server is away, and nobody else can say whose token this is';
    return { status: 201, body: review('authentication', 'TokenReview', { authenticated: false, error }) };
  }
  return undefined;
}

function one(copy: Copy, resource: Resource, key: string): Answer {
  const object = copy.get(resource, key);
  if (object !== undefined) return { status: 200, body: object };
  return isKnownAbsent(copy, resource, key) ? notFound(resource, key) : serverAway(`${resource.name} ${key}`);
}

/** That something is not there is said only if the server said so. */
function isKnownAbsent(copy: Copy, resource: Resource, key: string): boolean {
  return copy.known(resource)?.absent.includes(key) ?? false;
}

/** A list, or a watch of what would be in it. */
function many(copy: Copy, resource: Resource, namespace: string | undefined, query: URLSearchParams): Answer {
  const fieldSelector = query.get('fieldSelector') ?? '';
  const known = copy.known(resource);
  if (known === undefined) return serverAway(resource.name);
  const filters = [fieldFilter(fieldSelector), labelFilter(query.get('labelSelector') ?? '')];
  if (namespace !== undefined) filters.push(({ metadata }) => metadata.namespace === namespace);
  if (filters.includes(undefined)) return badRequest('the selector is not understood');
  const matches: Filter = (object) => filters.every((filter) => filter?.(object));
  const items = known.items.filter(matches);
  if (resource.extent === 'named' && items.length === 0) {
    const key = objectKey(namespace, selectedName(fieldSelector) ?? '');
    if (!isKnownAbsent(copy, resource, key)) return serverAway(`${resource.name} ${key}`);
  }
  // What was read one by one is as old as each is; what was not there is asked for anew when the server is back.
  const resourceVersion =
    resource.extent === 'named' ? (items[0]?.metadata.resourceVersion ?? '1') : known.resourceVersion;
  if (['true', '1'].includes(query.get('watch') ?? ''))
    return { status: 200, watch: watchOf({ copy, resource, matches, items, resourceVersion, query }) };
  const type = { apiVersion: apiVersionOf(resource), kind: `${resource.kind}List` };
  return { status: 200, body: { ...type, metadata: { resourceVersion }, items } };
}

/** @see KEP-3157: a list as a stream, which ends with an annotated bookmark */
function watchOf(asked: {
  readonly copy: Copy;
  readonly resource: Resource;
  readonly matches: Filter;
  readonly items: readonly KubeObject[];
  readonly resourceVersion: string;
  readonly query: URLSearchParams;
}): WatchAnswer {
  const { copy, resource, matches, items, resourceVersion, query } = asked;
  const isStreamingList = query.get('sendInitialEvents') === 'true';
  const isFromAnywhere = isStreamingList || ['', '0'].includes(query.get('resourceVersion') ?? '');
  const event = (type: WatchEvent['type']) => (object: Json) => ({ type, object });
  const annotations = { 'k8s.io/initial-events-end': 'true' };
  const type = { apiVersion: apiVersionOf(resource), kind: resource.kind };
  const bookmark = { ...type, metadata: { resourceVersion, creationTimestamp: null, annotations } };
  const known = isFromAnywhere
    ? items.map(event('ADDED'))
    : copy.changed(resource).filter(matches).map(event('MODIFIED')); // which of them are news is not known
  return {
    events: isStreamingList ? [...known, event('BOOKMARK')(bookmark)] : known,
    follow: (onEvent) =>
      copy.follow(resource, (object) => {
        if (matches(object)) onEvent({ type: 'MODIFIED', object });
      }),
    timeoutMs: (Number(query.get('timeoutSeconds')) || 1800) * 1000,
  };
}

/** A status is kept as long as the server is away, so that the node's programs see what they have said. */
function write(resource: Resource, target: Target, question: Question, options: AnswersOptions): Answer {
  const { copy, nodeName } = options;
  const key = objectKey(target.namespace, target.name ?? '');
  const object = copy.get(resource, key);
  if (object === undefined) return one(copy, resource, key);
  const isOwn = resource === resources.nodes || resource === resources.csinodes ? target.name === nodeName : true;
  const isPatch =
    question.method === 'PATCH' && /^application\/(strategic-)?merge-patch\+json/.test(question.contentType);
  const isKubelets = question.program === 'kubelet' && resource === resources.pods && target.subresource === 'status';
  const mayChange = resource === resources.nodes || isKubelets;
  if (!isOwn) return forbidden(question.program, question.method, resource);
  if (!isPatch || !mayChange) return { status: 200, body: object };
  const patch = parsed(question.body);
  if (!isJson(patch)) return badRequest('the patch is not an object');
  const after = merged(object, patch) as KubeObject;
  const isSame = keyOf(after) === keyOf(object) && JSON.stringify(after) === JSON.stringify(object);
  return { status: 200, body: isSame ? object : copy.change(resource, after) };
}

function parsed(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

function versionOf(gitVersion: string): Json {
  const [, major = '', minor = ''] = /^v(\d+)\.(\d+)/.exec(gitVersion) ?? [];
  return {
    major,
    minor,
    gitVersion,
    gitCommit: '',
    gitTreeState: '',
    buildDate: '',
    goVersion: '',
    compiler: '',
    platform: '',
  };
}

function swallowedEvent(root: string, namespace: string): Json {
  const metadata = { name: 'not-kept', namespace };
  if (root !== '/api/v1') return { apiVersion: 'events.k8s.io/v1', kind: 'Event', metadata, eventTime: null };
  return { apiVersion: 'v1', kind: 'Event', metadata, involvedObject: {} };
}

function freshLease({ nodeName, clock }: AnswersOptions): Json {
  const renewTime = rfc3339(clock.now()).replace('Z', '000Z'); // MicroTime
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: nodeName, namespace: 'kube-node-lease', resourceVersion: '1' },
    spec: { holderIdentity: nodeName, leaseDurationSeconds: 40, renewTime },
  };
}

/** Short, so that a true one takes its place soon after the server is back. */
const tokenSeconds = 60;

/** No server would take it; the volume it stands in mounts. */
function placeholderToken(namespace: string, name: string, clock: Clock): Json {
  const expirationTimestamp = rfc3339(clock.now() + tokenSeconds * 1000).replace(/\.\d+/, '');
  return {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    metadata: { name, namespace },
    // The kubelet looks into boundObjectRef without asking whether it is there.
    spec: { audiences: [], expirationSeconds: tokenSeconds, boundObjectRef: { kind: 'Pod', apiVersion: 'v1' } },
    status: { token: 'the-server-is-away', expirationTimestamp },
  };
}

function review(group: string, kind: string, status: Json): Json {
  return { apiVersion: `${group}.k8s.io/v1`, kind, metadata: {}, spec: {}, status };
}
