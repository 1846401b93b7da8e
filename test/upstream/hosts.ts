/**
 * A server and two agents with the images of the tests, and a box outside of the cluster on which the tests themselves run.
 */
import { copyFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createNodes } from '../helpers/cluster.ts';
import type { Box } from '../helpers/cluster.ts';
import type { UpstreamImages } from './images.ts';
import { localPathDriver } from './storage.ts';

/**
 * The client's address. Some tests see by it whether the source of a connection was kept: one of the nodes' own network they would
 * take for a node's.
 */
const clientAddress = '192.0.2.1';

/** Its Service has ports 80 and 443 of every node, and its class is the default: the tests want the one free, and none of the other. */
const serverFlags = ['--disable', 'traefik'];

export interface Hosts {
  readonly client: Box;
  wipe(): Promise<void>;
}

/** On the client. */
export const clientFiles = {
  kubeconfig: '/tmp/kubeconfig',
  kubectl: '/var/lib/kagent/data/current/bin/kubectl',
  storageDriver: '/tmp/storage-driver.yaml',
} as const;

export async function upstreamHosts(images: UpstreamImages): Promise<Hosts> {
  const cluster = await createNodes('upstream', { agents: 2, serverFlags });
  const { server } = cluster;
  const wipe = () => cluster.wipe();
  try {
    const nodes = [server, ...cluster.agents];
    await Promise.all(nodes.map((node) => giveImages(node, images)));
    const client = await cluster.addBox('c1', 31);
    const network = server.host.address.replace(/\.\d+$/, '.0/24');
    await client.sh(
      `ip addr add ${clientAddress}/32 dev lo && ip route replace ${network} dev eth0 src ${clientAddress}`,
    );
    await client.sh('echo 2 >/proc/sys/net/ipv4/conf/all/arp_announce'); // asks by its address on the wire
    for (const node of nodes) await node.sh(`ip route add ${clientAddress} via ${client.host.address}`);
    const kubeconfig = await server.sh('cat /etc/kagent/kagent.yaml');
    const onDisk = (path: string) => join(client.host.dir, 'disk', path);
    await writeFile(onDisk(clientFiles.kubeconfig), kubeconfig.replaceAll('127.0.0.1', server.host.address));
    await writeFile(onDisk(clientFiles.storageDriver), localPathDriver);
    await client.kubectl('--kubeconfig', clientFiles.kubeconfig, 'get', 'nodes'); // unpacks what is used
    return { client, wipe };
  } catch (error) {
    await wipe();
    throw error;
  }
}

async function giveImages(node: Box, { archives, otherNames }: UpstreamImages): Promise<void> {
  const must = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await node.kagent(args, { timeoutMs: 300_000 });
    if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}:\n${stdout}${stderr}`);
    return stdout;
  };
  for (const archive of archives) {
    const path = join('/tmp', basename(archive));
    await copyFile(archive, join(node.host.dir, 'disk', path));
    await must('ctr', 'images', 'import', '--all-platforms', path);
    await node.sh(`rm ${path}`);
  }
  const present = (await must('ctr', 'images', 'ls', '-q')).split('\n');
  for (const [image, name] of Object.entries(otherNames)) {
    const own = present.find((line) => line.startsWith(`${image}:`));
    if (own === undefined) throw new Error(`${node.host.name} has no image ${image}`);
    await must('ctr', 'images', 'tag', own, name);
  }
}
