import type { ServerResponse } from 'node:http';
import type { KubeClient, KubeObject } from '../../src/kube/kube.ts';
import { kubeServer } from './kube-server.ts';

export interface ObjectServer {
  readonly kube: KubeClient;
  /** Sets, or with `undefined` removes, an object; watches of its list are told. */
  readonly set: (list: string, name: string, object: KubeObject | undefined) => void;
  readonly get: (list: string, name: string) => KubeObject | undefined;
  /** There is no such list any more. */
  readonly forget: (list: string) => void;
  readonly patched: { readonly path: string; readonly body: unknown }[];
  /** `reason message` of each event that was created. */
  readonly events: string[];
}

/**
 * An API server that keeps objects by list (`/api/v1/persistentvolumes`) and name, and tells watches; selectors are overlooked.
 * What has a namespace is in a list of that, and in the one of all where the test has made it. What is applied is there then;
 * merge patches are kept in `patched`, and with `mergesPatches` take effect.
 */
export async function objectServer(options: { readonly mergesPatches?: boolean } = {}): Promise<ObjectServer> {
  const lists = new Map<string, Map<string, KubeObject>>();
  /** Everything that changed, in order: a list says how much of it there was, and a watch begins there. */
  const changes: { readonly list: string; readonly line: string }[] = [];
  const watches: { readonly list: string; readonly response: ServerResponse }[] = [];
  const patched: ObjectServer['patched'] = [];
  const events: string[] = [];
  const listOf = (list: string) => {
    const known = lists.get(list) ?? new Map<string, KubeObject>();
    lists.set(list, known);
    return known;
  };
  const set: ObjectServer['set'] = (list, name, object) => {
    const before = listOf(list).get(name);
    if (object === undefined) listOf(list).delete(name);
    else listOf(list).set(name, object);
    const type = object === undefined ? 'DELETED' : before === undefined ? 'ADDED' : 'MODIFIED';
    const line = `${JSON.stringify({ type, object: object ?? before })}\n`;
    changes.push({ list, line });
    for (const watch of watches) if (watch.list === list) watch.response.write(line);
  };
  const { kube } = await kubeServer(({ method, url, body, contentType }, response) => {
    const { pathname, searchParams } = new URL(url, 'https://api');
    const [, parent = '', name = ''] = /^(.*)\/([^/]+)$/.exec(pathname) ?? [];
    const answer = (value: unknown) => response.end(JSON.stringify(value));
    const object = lists.get(parent)?.get(name);
    if (searchParams.has('watch')) {
      response.writeHead(200).flushHeaders();
      const missed = changes.slice(Number(searchParams.get('resourceVersion') ?? changes.length));
      for (const { list, line } of missed) if (list === pathname) response.write(line);
      watches.push({ list: pathname, response });
    } else if (method === 'POST' && pathname.endsWith('/events')) {
      const { reason, message } = JSON.parse(body) as { readonly reason: string; readonly message: string };
      events.push(`${reason} ${message}`);
      answer({});
    } else if (method === 'POST') {
      const made = JSON.parse(body) as KubeObject;
      set(pathname, made.metadata.name, made);
      answer(made);
    } else if (method === 'PATCH') {
      const patch = JSON.parse(body) as KubeObject;
      patched.push({ path: pathname, body: patch });
      if (contentType === 'application/apply-patch+yaml') set(parent, name, withUid(patch));
      const [, list = '', of = ''] = /^(.*)\/([^/]+)$/.exec(pathname.replace(/\/status$/, '')) ?? [];
      const before = lists.get(list)?.get(of);
      if (options.mergesPatches === true && before !== undefined) {
        const after = merged(before, patch) as KubeObject;
        const finalizers = after.metadata['finalizers'] as readonly string[] | undefined;
        const isGone = after.metadata['deletionTimestamp'] !== undefined && finalizers?.length === 0;
        const all = list.replace(/\/namespaces\/[^/]+/, '');
        for (const one of new Set([list, all])) if (lists.has(one)) set(one, of, isGone ? undefined : after);
      }
      answer({ metadata: {} });
    } else if (method === 'DELETE') {
      set(parent, name, undefined);
      answer({});
    } else if (object !== undefined) answer(object);
    else if (lists.has(pathname))
      answer({ metadata: { resourceVersion: String(changes.length) }, items: [...listOf(pathname).values()] });
    else {
      response.statusCode = 404;
      answer({ message: 'not found' });
    }
  });
  const get: ObjectServer['get'] = (list, name) => listOf(list).get(name);
  return { kube, set, get, forget: (list) => void lists.delete(list), patched, events };
}

function withUid(object: KubeObject): KubeObject {
  return { ...object, metadata: { ...object.metadata, uid: `uid-${object.metadata.name}` } };
}

/** RFC 7386. */
function merged(before: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const known = (typeof before === 'object' && before !== null ? before : {}) as Readonly<Record<string, unknown>>;
  const changes = Object.entries(patch).map(([key, value]) => [key, merged(known[key], value)] as const);
  return Object.fromEntries([...Object.entries(known), ...changes].filter(([, value]) => value !== null));
}
