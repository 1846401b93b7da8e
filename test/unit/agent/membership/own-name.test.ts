/** What a box's node is called when nobody says so, and when the host's name changes. */
import { expect, test } from 'vitest';
import { keepNodeId, nameNotes, wantedName } from '../../../../src/agent/membership/membership.ts';
import { writeFileAtomicSync } from '../../../../src/shared/files/files.ts';
import { pathsOf } from '../../../../src/shared/paths.ts';
import type { Paths } from '../../../../src/shared/paths.ts';
import { clusterSettings } from '../../../helpers/join-server.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

function joinedAs(nodeName: string, paths: Paths = pathsOf(temporaryDir())): Paths {
  const joined = { url: 'https://s:9345', addresses: ['10.0.0.5'], apiserverUrls: [], settings: clusterSettings };
  writeFileAtomicSync(paths.agent.identity, JSON.stringify({ nodeName, password: 'p', joined }), 0o600);
  return paths;
}

test('a box that has not joined has the name that it was told, or its host’s', () => {
  const paths = pathsOf(temporaryDir());
  expect(wantedName({ withNodeId: false }, paths)).toBeUndefined();
  expect(wantedName({ nodeName: 'n', withNodeId: false }, paths)).toBe('n');
});

test('a box that has joined keeps its name until it is told another one', () => {
  const paths = joinedAs('s1');
  expect(wantedName({ withNodeId: false }, paths)).toBe('s1');
  expect(wantedName({ nodeName: 'n', withNodeId: false }, paths)).toBe('n');
});

test('a name with an id keeps both, also when the host gets another name', () => {
  const paths = pathsOf(temporaryDir());
  keepNodeId(paths);
  const name = wantedName({ nodeName: 'box', withNodeId: true }, paths) ?? '';
  expect(name).toMatch(/^box-[0-9a-f]{8}$/);
  keepNodeId(paths);
  joinedAs(name, paths);
  expect(wantedName({ withNodeId: true }, paths)).toBe(name);
  expect(wantedName({ nodeName: 'other', withNodeId: true }, paths)).toBe(name.replace('box', 'other'));
});

test('an id that is asked for later makes another name', () => {
  const paths = joinedAs('s1');
  keepNodeId(paths);
  expect(wantedName({ withNodeId: true }, paths)).toMatch(/-[0-9a-f]{8}$/);
});

test('a host that is called otherwise than its node is told so, with what makes the names agree', () => {
  expect(nameNotes('s1', { withNodeId: false }, 'dhcp-77')).toEqual([
    'This host is called dhcp-77 now and stays the node s1, as it has joined: --node-name dhcp-77 makes it another node.',
  ]);
  expect(nameNotes('s1', { withNodeId: false }, 's1')).toEqual([]);
  expect(nameNotes('s1', { nodeName: 's1', withNodeId: false }, 'dhcp-77')).toEqual([]);
});
