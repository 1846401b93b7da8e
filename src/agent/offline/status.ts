import type { Json } from '../../kube/kube.ts';
import type { Resource } from './resources.ts';

interface Failure {
  readonly status: number;
  readonly body: Json;
}

/** Kubernetes' own form of a refusal: clients read `reason`. @see apimachinery v0.37 meta/v1 Status */
function failure(code: number, reason: string, message: string, details: Json = {}): Failure {
  const body = { apiVersion: 'v1', kind: 'Status', metadata: {}, status: 'Failure', message, reason, details, code };
  return { status: code, body };
}

/** Not "it is not there": who asks waits, and keeps what it has. */
export function serverAway(what: string): Failure {
  return failure(503, 'ServiceUnavailable', `the server is away, and this node does not remember ${what}`);
}

export function notFound({ name: kind }: Resource, key: string): Failure {
  const name = key.split('/').at(-1) ?? key;
  return failure(404, 'NotFound', `${kind} "${name}" not found`, { name, kind });
}

export function alreadyExists({ name: kind }: Resource, name: string): Failure {
  return failure(409, 'AlreadyExists', `${kind} "${name}" already exists`, { name, kind });
}

export function forbidden(who: string, method: string, { name: kind }: Resource): Failure {
  return failure(403, 'Forbidden', `${who} may not ${method} ${kind} while the server is away`, { kind });
}

export function badRequest(message: string): Failure {
  return failure(400, 'BadRequest', message);
}
