/** `kagent etcd …` on a server of several: who is in, and how this server's member does. */
import { Command } from 'commander';
import { mebibytes, print, table } from '../cli/cli.ts';
import { connectMembers } from './client/client.ts';
import type { EtcdMember, EtcdStatus, MembersClient } from './client/client.ts';
import { answered, json, NoEtcdError, ownEtcd } from './place.ts';

interface Output {
  readonly output?: string;
}

export function etcdCommand(): Command {
  const etcd = new Command('etcd').description('Show the etcd of a cluster of several servers');
  const member = new Command('member').description('Show the members of the etcd');
  member.addCommand(
    shown('ls', 'List the servers that are in it')
      .alias('list')
      .action(async ({ output }: Output) => {
        const members = await asked((client) => client.list());
        if (output === 'json') json(members.map(plain));
        else print(membersText(members));
      }),
  );
  etcd.addCommand(member);
  etcd.addCommand(
    shown('status', "Show how this server's member does").action(async ({ output }: Output) => {
      const [status, members] = await asked((client) => Promise.all([client.status(), client.list()]));
      if (output === 'json') json(plain(status));
      else print(statusText(status, members));
    }),
  );
  return etcd;
}

const shown = (name: string, description: string) =>
  new Command(name).description(description).option('-o, --output <form>', "'json' for programs");

/** @throws {NoEtcdError} @throws {DatastoreNotServedError} */
async function asked<T>(ask: (client: MembersClient) => Promise<T>): Promise<T> {
  const endpoints = await ownEtcd();
  if (endpoints === undefined) throw new NoEtcdError();
  const client = connectMembers(endpoints);
  return answered(client, endpoints.addresses.join(), () => ask(client));
}

function membersText(members: readonly EtcdMember[]): string {
  const rows = members.map(({ id, name, peerUrls, isLearner }) => [
    name === '' ? '(not started yet)' : name,
    peerUrls.join(),
    isLearner ? 'learner' : 'voter',
    idText(id),
  ]);
  return table([['NAME', 'PEER', 'ROLE', 'ID'], ...rows]);
}

function statusText(status: EtcdStatus, members: readonly EtcdMember[]): string {
  const { memberId, leaderId, version, sizeBytes, usedBytes, raftTerm, raftIndex, appliedIndex, errors } = status;
  const leader = members.find(({ id }) => id === leaderId)?.name ?? 'none';
  return table([
    ['leader', `${leader}${leaderId === memberId ? ' (this server)' : ''}, term ${raftTerm}`],
    ['behind', `${raftIndex - appliedIndex} of ${raftIndex} entries`],
    ['size', `${mebibytes(usedBytes)} used of ${mebibytes(sizeBytes)} on disk`],
    ['alarms', errors.length === 0 ? 'none' : errors.join(', ')],
    ['version', version],
  ]);
}

/** As etcd's own tools write them. */
const idText = (id: bigint) => id.toString(16);

/** JSON has no numbers of 64 bits. */
function plain(value: EtcdMember | EtcdStatus): object {
  return Object.fromEntries(
    Object.entries(value).map(([key, one]: [string, unknown]) => [key, typeof one === 'bigint' ? idText(one) : one]),
  );
}
