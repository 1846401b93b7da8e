import { addressAt, overlaps } from '../../../shared/ipv4/ipv4.ts';
import { vxlanPort } from '../../probe/probe.ts';
import { KagentError } from '../../../shared/errors.ts';
import {
  fallbackServer,
  findResolvConf,
  hostChecks,
  isDefault,
  isRouted,
  nodeAddress,
  nodeName,
  ownDevice,
  routesOf,
  serversOf,
  whyNone,
  numberIn,
} from '../../checks/checks.ts';
import type { HostRoot } from '../../checks/checks.ts';
import { fine, notLooked, note, unreadable, warning } from '../check.ts';
import type { Check, Fault, ExaminedHost } from '../check.ts';
import { faultOf, faultsOf } from './from-host.ts';
import { namesBelow } from './reading.ts';

/** IP, UDP, VXLAN and Ethernet headers around each packet of a pod. */
const vxlanOverhead = 50;
/** Every path must carry this much, says IPv6; below it even DNS suffers. */
const leastPodMtu = 1280;
/** Why a component is not as it should be that the check of the pods' network is about. */
export const podNetworkReason = 'PodNetworkUnreachable';

export const networkChecks: readonly Check[] = [
  {
    name: 'ports',
    group: 'Network',
    title: 'the ports kagent listens on are free',
    why: 'kagent, or one of its components, cannot start while another program listens there',
    fix: 'stop that program, or give kagent another port',
    look({ needs, root, isRunning }) {
      if (isRunning) return notLooked('kagent runs, and has them');
      if (root.read('/proc/net/tcp') === undefined) return unreadable('/proc/net/tcp');
      return faultsOf(hostChecks.ports.look(needs));
    },
  },
  {
    name: 'vxlan-port',
    group: 'Network',
    title: `UDP port ${vxlanPort} is free for the pods’ network`,
    why: 'flannel’s device is not brought up while a program has the port: flanneld ends, and the start with it',
    fix: `find out which program has it: ss -lunp 'sport = :${vxlanPort}', ip -d link show type vxlan`,
    isCheap: true,
    forNodes: true,
    look({ root, flannelBackend, isRunning, needs }) {
      const isOurs = isRunning || root.realPath(`${needs.dataDir}/agent`) !== undefined; // pods outlive kagent
      if (flannelBackend !== 'vxlan')
        return notLooked(`the pods’ network is ${flannelBackend}, which has no use for it`);
      if (isOurs) return notLooked('kagent has been started here, and has it');
      if (root.read('/proc/net/udp') === undefined) return unreadable('/proc/net/udp');
      return isUdpTaken(root, vxlanPort) ? warning(`UDP port ${vxlanPort} is taken`) : fine;
    },
  },
  {
    name: 'node-address',
    group: 'Network',
    title: 'it is clear by which address other nodes reach this one',
    why: 'the node registers with it, and everything that is for its pods is sent there',
    fix: 'set --node-ip',
    forNodes: true,
    look: async ({ node, root, interfaces }) => refusalOf(() => nodeAddress(node, root, interfaces)),
  },
  {
    name: 'node-name',
    group: 'Network',
    title: 'the host’s name is valid for a node',
    why: 'Kubernetes takes DNS names, and two nodes cannot share one',
    fix: 'set --node-name, or change the host’s name: hostnamectl set-hostname NAME',
    forNodes: true,
    look({ node, hostname }) {
      if (node.nodeName === undefined && /^localhost(\.|$)/.test(hostname)) {
        return warning(`this box is called ${hostname}, as is every box that was given no name`);
      }
      return refusalOf(() => Promise.resolve(nodeName(node.nodeName, hostname)));
    },
  },
  {
    name: 'service-route',
    group: 'Network',
    title: 'the Services’ range has a route',
    why: 'without one the kernel refuses to send to a Service’s address before kube-proxy’s rules are asked',
    fix: 'kagent adds it by itself where there is no default route: kagent status says why it could not',
    forNodes: true,
    look({ root, serviceCidr, isRunning }) {
      if (!isRunning) return notLooked('kagent does not run, and sees to it when it starts');
      const routes = networkRoutes(root);
      if (routes === undefined) return unreadable('/proc/net/route');
      if (isRouted(addressAt(serviceCidr, 1), routes)) return fine;
      return warning(
        `there is neither a default route nor one to ${serviceCidr}`,
        `ip route add ${serviceCidr} dev lo; kagent status says why kagent could not`,
      );
    },
  },
  {
    name: 'pod-network',
    group: 'Network',
    title: 'nodes answer each other through the pods’ network, and have an address each',
    why: 'pods of different nodes do not reach each other: Services and DNS fail for some of them',
    fix: 'check the path between the two nodes: kagent doctor --from https://SERVER:9345, on each of them',
    forNodes: true,
    look({ components }) {
      // The server knows of all nodes, another node of what it has asked itself.
      const said = components.filter(({ name }) => ['nodes', 'pod-probes'].includes(name));
      const found = said.find(({ condition }) => condition.reason === podNetworkReason);
      if (found !== undefined) return warning(found.condition.message);
      const known = said.filter(({ condition }) => condition.status === 'True');
      return known.length > 0 ? fine : notLooked('no kagent that runs here has asked other nodes yet');
    },
  },
  {
    name: 'address-ranges',
    group: 'Network',
    title: 'the cluster’s ranges are not in use on this box’s network',
    why: 'what is meant for these networks would be sent to pods, and vice versa',
    fix: 'choose other ranges when the cluster is made: --cluster-cidr, --service-cidr',
    isCheap: true,
    look({ root, clusterCidr, serviceCidr }) {
      const routes = networkRoutes(root);
      if (routes === undefined) return unreadable('/proc/net/route');
      const foreign = routes.filter((route) => !isDefault(route) && !ownDevice.test(route.device));
      return [clusterCidr, serviceCidr].flatMap((cidr) => {
        const other = foreign.find((route) => overlaps(route.cidr, cidr));
        return other === undefined
          ? []
          : warning(`${cidr} overlaps ${other.cidr}, which is reached by ${other.device}`);
      });
    },
  },
  {
    name: 'mtu',
    group: 'Network',
    title: 'packets of pods are not too small',
    why: 'VXLAN takes 50 bytes of each packet; what is left is too little for programs that take 1280 for granted',
    fix: 'ip link set INTERFACE mtu 1500, or find out what on the path needs it so small',
    isCheap: true,
    forNodes: true,
    async look({ root, flannelBackend, node, interfaces }) {
      const address = await nodeAddress(node, root, interfaces).catch(() => undefined); // said by node-address
      const device = address?.defaultInterface;
      const mtu = device === undefined ? undefined : numberIn(root, `/sys/class/net/${device}/mtu`);
      if (flannelBackend !== 'vxlan') return notLooked(`the pods’ network is ${flannelBackend}, which takes less`);
      if (mtu === undefined) return notLooked('by which interface other nodes reach this one is not known');
      if (mtu - vxlanOverhead >= leastPodMtu) return fine;
      return warning(`the MTU of ${device} is ${mtu}: ${mtu - vxlanOverhead} are left for pods`);
    },
  },
  {
    name: 'dns-loop',
    group: 'Network',
    title: 'there is a name server that pods can reach',
    why: `a resolver on this box’s loopback is not reached from a pod, nor is one that has an address of IPv6 alone; kagent names ${fallbackServer} instead`,
    fix: 'name a resolv.conf with real servers: --resolv-conf FILE',
    forNodes: true,
    look(host) {
      const found = podsResolvConf(host);
      return found.source === undefined ? warning(whyNone(found)) : fine;
    },
  },
  {
    name: 'dns-lookup',
    group: 'Network',
    title: 'the name servers of pods resolve names',
    why: 'pods that ask for names outside the cluster, and pulls of images, wait for each server that does not answer',
    fix: 'name servers that answer: in this box’s network settings, or in a file of its own with --resolv-conf FILE; where there is no network but this one, nothing need be done',
    forNodes: true,
    async look(host) {
      const servers = serversOf(podsResolvConf(host).text);
      const answers = await Promise.all(
        servers.map(async (server) => ({ server, code: await host.tools.lookUp(server) })),
      );
      return answers.flatMap(({ server, code }) =>
        code === undefined ? fine : warning(`the name server ${server} does not resolve names (${code})`),
      );
    },
  },
  {
    name: 'dns-servers',
    group: 'Network',
    title: 'there are at most three name servers',
    why: 'pods take the first three; what only the others know is not found',
    fix: 'name a resolv.conf with three: --resolv-conf FILE',
    forNodes: true,
    look(host) {
      const found = podsResolvConf(host);
      if (found.source === undefined) return notLooked(whyNone(found));
      const servers = serversOf(found.text);
      return servers.length > 3 ? note(`there are ${servers.length} name servers: ${servers.join(', ')}`) : fine;
    },
  },
  {
    name: 'localhost',
    group: 'Network',
    title: '/etc/hosts knows localhost',
    why: 'probes and many programs connect to that name, and would ask a server in the network for it',
    fix: "printf '127.0.0.1 localhost\\n::1 localhost\\n' >>/etc/hosts",
    look: ({ root }) =>
      /^[ \t]*127\.0\.0\.1[ \t].*\blocalhost\b/m.test(root.read('/etc/hosts') ?? '')
        ? fine
        : warning('/etc/hosts has no 127.0.0.1 localhost'),
    async repair({ root }, repairTools) {
      const text = root.read('/etc/hosts') ?? '';
      repairTools.writeFile(
        '/etc/hosts',
        `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}127.0.0.1 localhost\n`,
      );
      return ['/etc/hosts names 127.0.0.1 localhost'];
    },
  },
  {
    name: 'left-over-network',
    group: 'Network',
    title: 'there are no devices of another cluster’s network',
    why: 'flannel and the CNI plugins use the same names: a start makes cni0 and flannel.1 anew where their addresses or settings are others, which cuts off pods that are still on them; other names stay, with their routes',
    fix: 'uninstall what made them, or: ip link delete DEVICE',
    forNodes: true,
    look({ root, needs, isRunning }) {
      if (isRunning || root.realPath(`${needs.dataDir}/agent`) !== undefined)
        return notLooked('kagent has been started here: devices of these names are its own');
      if (root.realPath('/sys/class/net') === undefined) return unreadable('/sys/class/net');
      const left = namesBelow(root, '/sys/class/net').filter((name) =>
        /^(cni0|flannel\..+|kube-ipvs0|cilium_.*|weave)$/.test(name),
      );
      return left.length === 0
        ? fine
        : warning(
            `there are ${left.join(', ')}, and no kagent has run here`,
            left.map((name) => `ip link delete ${name}`).join('; '),
          );
    },
  },
];

async function refusalOf(work: () => Promise<unknown>): Promise<readonly Fault[]> {
  try {
    await work();
    return fine;
  } catch (error) {
    if (!(error instanceof KagentError)) throw error;
    return [faultOf(error)];
  }
}

/** From /proc/net/udp: a kernel's tunnel is there too. */
export function isUdpTaken(root: HostRoot, port: number): boolean {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const locals = ['/proc/net/udp', '/proc/net/udp6'].flatMap((path) =>
    (root.read(path) ?? '')
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/)[1] ?? ''),
  );
  return locals.some((local) => local.endsWith(suffix));
}

function networkRoutes(root: HostRoot) {
  const table = root.read('/proc/net/route');
  return table === undefined ? undefined : routesOf(table);
}

/** As a start would make it, with the network the cluster has. */
function podsResolvConf({ root, resolvConf, flannelBackend }: ExaminedHost) {
  return findResolvConf(root, { given: resolvConf, hasIPv6: flannelBackend === 'none' });
}
