/** Who this server is among the members: its name, kept beside its data, and what it shows. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { namesIfReadable, readFileIfExists, writeFileIfChanged } from '../../shared/files/files.ts';
import { etcdNameFile } from '../../shared/etcd-member.ts';
import type { Leaf, Pki } from '../pki/pki.ts';

export interface MemberOptions {
  readonly pki: Pick<Pki, 'openEtcd' | 'keepLeaf'>;
  /** etcd's data. */
  readonly dir: string;
  readonly nodeName: string;
  readonly nodeIp: string;
}

export interface Member {
  /** Another one each time a server joins on an empty disk. */
  readonly name: string;
  readonly leaves: MemberLeaves;
  /** Files of the CAs that sign what members show their clients, and each other. */
  readonly serverCa: string;
  readonly peerCa: string;
  /** From now on this server is a member, whatever its settings say. */
  begin(): void;
  /** Renews what is due. etcd reads its files at each connection. @returns the names of those that were renewed */
  renew(): Promise<readonly string[]>;
}

export interface MemberLeaves {
  readonly server: Leaf;
  readonly peer: Leaf;
  readonly client: Leaf;
}

/** Whether this server is, or was, a member: what is there decides, whatever the settings say. */
export function isMember(dir: string): boolean {
  return existsSync(etcdNameFile(dir));
}

/** Whether the member has been in its cluster: etcd makes its log, under this name, when it is in. */
export function hasData(dir: string): boolean {
  return namesIfReadable(join(dir, 'member', 'wal')).some((name) => name.endsWith('.wal'));
}

/** A server that has asked to come in goes on with that, also where it is not told again: it makes no cluster of its own. */
export function keepFirstServer(dir: string, asked: string | undefined): string | undefined {
  const file = join(dir, 'joins');
  if (asked !== undefined) writeFileIfChanged(file, `${asked}\n`, 0o600);
  return asked ?? readFileIfExists(file)?.trim();
}

export async function openMember({ pki, dir, nodeName, nodeIp }: MemberOptions): Promise<Member> {
  const { serverCa, peerCa } = await pki.openEtcd();
  const names = {
    dnsNames: ['localhost', nodeName],
    ipAddresses: [...new Set(['127.0.0.1', '::1', nodeIp])],
  };
  const keep = async (): Promise<MemberLeaves> => ({
    // Members speak to themselves, and to each other, as clients too.
    server: await pki.keepLeaf(serverCa, {
      name: 'etcd/server-client',
      commonName: 'etcd-server',
      usages: ['server', 'client'],
      ...names,
    }),
    peer: await pki.keepLeaf(peerCa, {
      name: 'etcd/peer-server-client',
      commonName: 'etcd-peer',
      usages: ['server', 'client'],
      ...names,
    }),
    client: await pki.keepLeaf(serverCa, { name: 'etcd/client', commonName: 'etcd-client', usages: ['client'] }),
  });
  const name = readFileIfExists(etcdNameFile(dir))?.trim() ?? `${nodeName}-${randomBytes(4).toString('hex')}`;
  return {
    name,
    begin: () => void writeFileIfChanged(etcdNameFile(dir), `${name}\n`, 0o600),
    leaves: await keep(),
    serverCa: serverCa.certFile,
    peerCa: peerCa.certFile,
    async renew() {
      const renewed = Object.entries(await keep()).filter(([, { changed }]) => changed);
      return renewed.map(([name]) => `etcd-${name}`);
    },
  };
}

/** The server whose member has this name. */
export function serverOf(memberName: string): string {
  return memberName.replace(/-[0-9a-f]{8}$/, '');
}
