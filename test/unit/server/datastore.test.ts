import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { datastoreKind } from '../../../src/server/datastore.ts';
import { ServerOnlyConfig } from '../../../src/server/config.ts';
import { pathsOf } from '../../../src/shared/paths.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

const endpoint = { datastoreEndpoint: 'https://10.0.0.9:2379' };
const first = { server: 'https://10.0.0.1:9345' };
const own = 'db/store.db';
const member = 'db/etcd/name';
const elsewhere = 'datastore';

/** A server with these settings, on a disk that has these files. */
function kindOf(settings: object, files: readonly string[]) {
  const paths = pathsOf(temporaryDir());
  for (const file of files) {
    const path = join(paths.server.dir, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, 'x\n');
  }
  return () => datastoreKind({ config: ServerOnlyConfig.parse(settings), paths });
}

test.each([
  ['without a word has a datastore of its own', {}, [], 'own'],
  ['keeps it', {}, [own], 'own'],
  ['that is to be the first of several makes an etcd', { clusterInit: true }, [], 'etcd'],
  ['moves into one when it is told to', { clusterInit: true }, [own], 'etcd'],
  ['that joins another one comes into its etcd', first, [], 'etcd'],
  ['that is a member stays one, whatever is said', {}, [member], 'etcd'],
  ['that has moved does not go back to what is left of the old one', {}, [member, own], 'etcd'],
  ['uses somebody else’s', endpoint, [], 'others'],
  ['goes on with that', endpoint, [elsewhere], 'others'],
  ['joins another one that uses the same', { ...endpoint, ...first }, [], 'others'],
])('a server %s', (_, settings, files, kind) => {
  expect(kindOf(settings, files)()).toBe(kind);
});

test.each([
  ['of its own, and is told of another', endpoint, [own], /db, and --datastore-endpoint names another datastore/],
  ['of its own, and is to join', first, [own], /--server is for a server without one/],
  ['of its own, and is to reset an etcd', { clusterReset: true }, [own], /--cluster-reset is for a member/],
  ['shared with others, and is told of another', endpoint, [member], /etcd, and --datastore-endpoint names another/],
  ['elsewhere, and is not told where', {}, [elsewhere], /--datastore-endpoint is not said/],
  ['elsewhere, and is to make an etcd', { clusterInit: true }, [elsewhere], /--datastore-endpoint is not said/],
  [
    'that was reset, and is told to once more',
    { clusterReset: true },
    [member, 'db/cluster-reset'],
    /was reset at x, and/,
  ],
])('a server whose cluster is %s says so', (_, settings, files, message) => {
  expect(kindOf(settings, files)).toThrow(message);
});

test('a server may be reset again after a start without the flag', () => {
  const start = kindOf({}, [member, 'db/cluster-reset']);
  expect(start()).toBe('etcd');
  expect(start()).toBe('etcd');
});
