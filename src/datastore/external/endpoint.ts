/** `--datastore-endpoint`, as k3s takes it: which datastore it is, and where. */
import { Secret } from '../../shared/secret.ts';
import { parseAddress } from '../etcd/etcd.ts';
import { DatastoreEndpointError } from './errors.ts';

export interface EtcdEndpoint {
  readonly kind: 'etcd';
  /** `https://HOST:PORT` of each. */
  readonly addresses: readonly [string, ...string[]];
  /** For people. */
  readonly name: string;
}

export interface SqlEndpoint {
  readonly kind: 'sql';
  /** What kine takes; the user and the password are in it. */
  readonly dataSource: Secret;
  /** For people: `PostgreSQL at db.example:5432/kagent`. */
  readonly name: string;
}

export type DatastoreEndpoint = EtcdEndpoint | SqlEndpoint;

const parsers: Readonly<Record<string, (rest: string, text: string) => DatastoreEndpoint>> = {
  http: (_, text) => etcd(text),
  https: (_, text) => etcd(text),
  postgres: postgres,
  postgresql: postgres,
  mysql: mysql,
  sqlite: () => refuse("kagent's own datastore is on SQLite already", 'leave the flag out'),
  nats: () => refuse('kagent brings no client for NATS'),
};

/** @throws {DatastoreEndpointError} */
export function parseEndpoint(secret: Secret): DatastoreEndpoint {
  const text = secret.reveal().trim();
  const [, scheme = '', rest = ''] = /^([a-z0-9]+):\/\/(.*)$/s.exec(text) ?? [];
  const parse = parsers[scheme];
  if (parse === undefined || rest === '') return refuse('it is no datastore that kagent knows');
  return parse(rest, text);
}

function refuse(why: string, remedy?: string): never {
  throw new DatastoreEndpointError(why, remedy);
}

function etcd(text: string): EtcdEndpoint {
  const [first = '', ...others] = text.split(',').map((one) => one.trim());
  const addresses = [originOf(first), ...others.map(originOf)] as const;
  if (new Set(addresses.map((one) => new URL(one).protocol)).size > 1)
    refuse('some of its addresses are https and some http', 'say all of them with https');
  return { kind: 'etcd', addresses, name: `etcd at ${addresses.join(', ')}` };
}

function originOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    return refuse('one of its addresses is no address of an etcd');
  if (url.username !== '' || url.password !== '')
    return refuse(
      'it has a user in it, and etcd knows people by their certificates',
      'say --datastore-certfile and --datastore-keyfile',
    );
  if (url.pathname !== '/' || url.search !== '') return refuse('one of its addresses has more than a host and a port');
  const address = parseAddress(text);
  return address.kind === 'tcp' ? `${url.protocol}//${url.hostname}:${address.port}` : text;
}

/** A password may have any character: what a URL would have percent-encoded is encoded here. */
function postgres(rest: string): SqlEndpoint {
  const { user, password, place } = credentialsOf(rest);
  if (place === '' || place.startsWith('/')) refuse('it names no host');
  const login = user === '' ? '' : `${encoded(user)}${password === undefined ? '' : `:${encoded(password)}`}@`;
  return {
    kind: 'sql',
    dataSource: new Secret(`postgres://${login}${place}`),
    name: `PostgreSQL at ${withoutQuery(place)}`,
  };
}

/** Its driver wants `tcp(HOST:PORT)`; people write it as a URL too. */
function mysql(rest: string): SqlEndpoint {
  const { user, password, place } = credentialsOf(rest);
  const [, host = '', more = ''] = /^(\w+\([^)]*\)|[^/?]*)(.*)$/s.exec(place) ?? [];
  if (host === '') refuse('it names no host');
  const address = /^(tcp|unix)\(.*\)$/.test(host) ? host : `tcp(${host.includes(':') ? host : `${host}:3306`})`;
  const where = `${address}${more === '' ? '/' : more}`;
  const login = user === '' ? '' : `${user}${password === undefined ? '' : `:${password}`}@`;
  return {
    kind: 'sql',
    dataSource: new Secret(`mysql://${login}${where}`),
    name: `MySQL at ${withoutQuery(where)}`,
  };
}

/** The last `@` before the query ends the password: none of the others that may be in it does. */
function credentialsOf(rest: string): { readonly user: string; readonly password?: string; readonly place: string } {
  const at = rest.replace(/\?[\w-]+=[^/@]*$/, '').lastIndexOf('@');
  if (at === -1) return { user: '', place: rest };
  const login = rest.slice(0, at);
  const colon = login.indexOf(':');
  const place = rest.slice(at + 1);
  return colon === -1
    ? { user: login, place }
    : { user: login.slice(0, colon), password: login.slice(colon + 1), place };
}

/** What is percent-encoded already stays so. */
function encoded(text: string): string {
  return text
    .replaceAll(/%(?![0-9a-f]{2})/gi, '%25')
    .replaceAll(/[^\w.~%!$&'()*+,;=-]/g, (character) => encodeURIComponent(character));
}

const withoutQuery = (place: string) => place.split('?', 1).join('');
