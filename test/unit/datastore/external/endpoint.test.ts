import { describe, expect, test } from 'vitest';
import { DatastoreEndpointError, parseEndpoint } from '../../../../src/datastore/external/external.ts';
import { Secret } from '../../../../src/shared/secret.ts';

const parsed = (text: string) => parseEndpoint(new Secret(text));
const dataSource = (text: string) => {
  const endpoint = parsed(text);
  return endpoint.kind === 'sql' ? endpoint.dataSource.reveal() : '';
};

describe('an etcd', () => {
  test.each([
    ['https://10.0.0.1:2379', ['https://10.0.0.1:2379']],
    [
      'https://a.example:443,https://b.example/, https://[fd00::1]:2379',
      ['https://a.example:443', 'https://b.example:2379', 'https://[fd00::1]:2379'],
    ],
    ['http://127.0.0.1', ['http://127.0.0.1:2379']],
  ])('%s has these addresses', (text, addresses) => {
    expect(parsed(text)).toMatchObject({ kind: 'etcd', addresses });
  });
});

describe('a database', () => {
  test.each([
    ['postgres://kagent:simple@db.example:5432/kagent', 'postgres://kagent:simple@db.example:5432/kagent'],
    ['postgresql://kagent@db.example/kagent?sslmode=require', 'postgres://kagent@db.example/kagent?sslmode=require'],
    [
      'postgres://kagent:a@b#c%d/e?f:g h@db.example/kagent',
      'postgres://kagent:a%40b%23c%25d%2Fe%3Ff%3Ag%20h@db.example/kagent',
    ],
    ['postgres://kagent:a%40b@db.example/kagent', 'postgres://kagent:a%40b@db.example/kagent'],
    ['postgres://k:a?b@db.example/kagent?sslmode=disable', 'postgres://k:a%3Fb@db.example/kagent?sslmode=disable'],
    ['mysql://kagent:a@b#c%d/e@tcp(db.example:3306)/kagent', 'mysql://kagent:a@b#c%d/e@tcp(db.example:3306)/kagent'],
    ['mysql://kagent:secret@db.example/kagent', 'mysql://kagent:secret@tcp(db.example:3306)/kagent'],
    ['mysql://root@unix(/run/mysqld/mysqld.sock)', 'mysql://root@unix(/run/mysqld/mysqld.sock)/'],
  ])('%s is reached with its password as it was meant', (text, source) => {
    expect(dataSource(text)).toBe(source);
  });

  test.each([
    'postgres://kagent:s3cret@db.example:5432/kagent?sslmode=require',
    'mysql://kagent:s3cret@tcp(db.example:3306)/kagent',
  ])('the name of %s has no password in it', (text) => {
    const endpoint = parsed(text);
    expect(endpoint.name).toMatch(/^(PostgreSQL|MySQL) at .*db\.example:\d+\)?\/kagent$/);
    expect(JSON.stringify(endpoint)).not.toContain('s3cret');
  });
});

test.each([
  ['', 'no datastore that kagent knows'],
  ['db.example:5432', 'no datastore that kagent knows'],
  ['sqlite:///var/lib/x.db', 'on SQLite already'],
  ['nats://nats.example', 'no client for NATS'],
  ['https://user:s3cret@etcd.example', 'knows people by their certificates'],
  ['https://etcd.example/path', 'more than a host and a port'],
  ['https://a.example,http://b.example', 'some of its addresses are https and some http'],
  ['https://a.example,ftp://u:s3cret@b.example', 'one of its addresses is no address of an etcd'],
  ['postgres:///kagent', 'names no host'],
  ['mysql://user:s3cret@/kagent', 'names no host'],
])("'%s' is refused with a reason, and without a password in it", (text, why) => {
  const failing = () => parsed(text);
  expect(failing).toThrow(DatastoreEndpointError);
  expect(failing).toThrow(why);
  expect(failing).not.toThrow('s3cret');
});
