/** What a server is given that joins: what is the same on all servers, and a place among the members of the etcd. */
import { join } from 'node:path';
import { readFileIfExists } from '../../shared/files/files.ts';
import type { NewMember, SharedFiles } from '../../shared/protocol/servers.ts';
import { seal } from '../../shared/seal/seal.ts';
import type { Secret } from '../../shared/secret.ts';
import { bareSecret } from '../../shared/token/token.ts';
import { NoMembersError } from '../etcd/etcd.ts';
import type { EtcdMembers } from '../etcd/etcd.ts';

const authorities = ['server-ca', 'client-ca', 'request-header-ca', 'kubelet-ca', 'etcd/server-ca', 'etcd/peer-ca'];
const sharedNames = [
  ...authorities.flatMap((name) => [`tls/${name}.crt`, `tls/${name}.key`]),
  'tls/service.key',
  'token',
  'agent-token',
];

export interface ServerJoinOptions {
  /** Of everything a server keeps. */
  readonly dir: string;
  /** Undefined where the datastore is one server's alone. */
  readonly members: Pick<EtcdMembers, 'add'> | undefined;
  /** Several servers may have the datastore. */
  readonly isShared: boolean;
}

/** For who has shown the server token. */
export interface ServerJoin {
  /** @param shown sealed with it, so that nobody between the two reads them @throws {NoMembersError} */
  files(shown: Secret): { readonly sealed: string };
  /** @throws {NoMembersError} @throws {MemberWaitsError} */
  addMember(wanted: NewMember): Promise<{ readonly members: string }>;
}

export function createServerJoin({ dir, members, isShared }: ServerJoinOptions): ServerJoin {
  return {
    files(shown) {
      if (!isShared) throw new NoMembersError();
      return { sealed: seal(bareSecret(shown), JSON.stringify(sharedFiles(dir))) };
    },
    async addMember(wanted) {
      if (members === undefined) throw new NoMembersError();
      return { members: await members.add(wanted) };
    },
  };
}

function sharedFiles(dir: string): SharedFiles {
  const all = sharedNames.map((name) => [name, readFileIfExists(join(dir, name))] as const);
  return Object.fromEntries(all.filter((one): one is readonly [string, string] => one[1] !== undefined));
}
