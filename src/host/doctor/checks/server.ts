import { vxlanPort } from '../../probe/probe.ts';
import { compareVersions, version } from '../../../shared/version/version.ts';
import { fine, notLooked, note, warning } from '../check.ts';
import type { Check, Fault } from '../check.ts';
import type { Direction, Met, ServerPath } from '../server-path.ts';
import { faultOf } from './from-host.ts';

/** Leases of ten seconds are kept by these clocks; a join refuses more than a minute. */
const allowedSkewMs = 5000;

/** What two boxes tell of each other; `kagent doctor --from SERVER`. */
export const serverChecks: readonly Check<ServerPath>[] = [
  {
    name: 'server-reached',
    group: 'The server',
    title: 'the server is reached, and is the one that issued the token',
    why: 'a node joins there, and stays connected; a join would fail in the same way',
    fix: 'check the address, the name, and that TCP 9345 is let through to the server',
    look: ({ failure, isCut }) => (failure !== undefined && isCut === true ? [faultOf(failure)] : fine),
  },
  {
    name: 'server-lets-in',
    group: 'The server',
    title: 'the server lets this box in',
    why: 'a node joins with a token, and then uses its certificate',
    fix: 'copy the token again from server/node-token on the server',
    look: ({ failure, isCut }) => (failure === undefined ? fine : isCut === true ? notMet : [faultOf(failure)]),
  },
  {
    name: 'server-apiserver',
    group: 'The server',
    title: 'kube-apiserver is reached',
    why: 'kubelet and kube-proxy work with it directly: without it the node is never Ready',
    fix: 'let TCP 6443 through to the server',
    look: (path) =>
      path.met === undefined || path.met.apiservers.length === 0
        ? notMet
        : unreached(path).flatMap(({ failure, isElsewhere }) => (isElsewhere ? fine : [faultOf(failure)])),
  },
  {
    name: 'server-address',
    group: 'The server',
    title: 'the server’s own address leads to it from here',
    why: 'it is where pods find kube-apiserver, and where packets for the server’s pods are sent',
    fix: 'start the server with --node-ip, and the address by which this box reaches it',
    look: (path) => {
      if (path.met === undefined || path.met.apiservers.length === 0) return notMet;
      const { ownAddresses, apiservers } = path.met;
      const reachedBy = new URL(path.url).hostname;
      const fix = `start the server with --node-ip ${reachedBy}`;
      const hosts = apiservers.map(({ url }) => new URL(url).hostname);
      const twins = ownAddresses.includes(reachedBy) ? [] : hosts.filter((host) => ownAddresses.includes(host));
      const elsewhere = unreached(path).flatMap(({ host, isElsewhere }) => (isElsewhere ? [host] : []));
      return [
        ...twins.flatMap((host) =>
          warning(`the server’s own address, ${host}, is an address of this box as well`, fix),
        ),
        ...elsewhere
          .filter((host) => !twins.includes(host))
          .flatMap((host) => warning(`the server’s own address, ${host}, is not reached from here`, fix)),
      ];
    },
  },
  {
    name: 'server-clock',
    group: 'The server',
    title: 'this box’s clock and the server’s agree',
    why: 'leases and certificates are counted by both; above a minute a join is refused',
    fix: 'start an NTP client on both',
    look({ met }) {
      if (met === undefined) return notMet;
      if (Math.abs(met.skewMs) <= allowedSkewMs) return fine;
      const seconds = (Math.abs(met.skewMs) / 1000).toFixed(1);
      return warning(`this box’s clock is ${seconds} s ${met.skewMs > 0 ? 'ahead of' : 'behind'} the server’s`);
    },
  },
  {
    name: 'server-version',
    group: 'The server',
    title: 'this kagent is not newer than the server’s',
    why: 'Kubernetes lets a kubelet be older than kube-apiserver, never newer',
    fix: 'upgrade the server first',
    look: ({ met }) =>
      met === undefined
        ? notMet
        : compareVersions(version, met.opened.version) > 0
          ? warning(`this kagent is ${version}, the server’s is ${met.opened.version}`)
          : fine,
  },
  {
    name: 'server-same-network',
    group: 'The server',
    title: 'the server sees this box by an address of its own',
    why: 'behind a translated address other nodes do not reach this one: pods of different nodes are cut off',
    fix: 'join by a network that both are on, or use --flannel-backend wireguard-native with --node-external-ip',
    look: ({ met }) =>
      met === undefined
        ? notMet
        : !met.ownAddresses.includes(met.opened.yourAddress)
          ? warning(`the server sees this box as ${met.opened.yourAddress}, which is no address of it`)
          : fine,
  },
  {
    name: 'server-udp',
    group: 'The server',
    title: `UDP ${vxlanPort} passes in both directions`,
    why: 'packets of pods travel between nodes inside it: without it Services and DNS fail for some pods',
    fix: `let UDP ${vxlanPort}, and what comes out of it from the pods’ range, through: on both boxes, and between them`,
    look: ({ met }) => (met === undefined ? notMet : [...untested(met), ...directions(met).flatMap(lost)]),
  },
  {
    name: 'server-mtu',
    group: 'The server',
    title: 'packets pass that are as large as the interfaces allow',
    why: 'larger packets are lost without an error: connections open, and hang when data flows',
    fix: 'raise the MTU of what lies between, or lower it on both boxes: ip link set INTERFACE mtu N',
    look({ met }) {
      if (met === undefined) return notMet;
      const faults = [...uneven(met), ...directions(met).flatMap(tooLarge)];
      const cameThrough = directions(met).filter(({ came }) => came.length > 0);
      return faults.length > 0 || cameThrough.length > 0
        ? faults
        : notLooked('no packet that was sent for it came through');
    },
  },
];

const notMet = notLooked('the path to the server ended before it');

/** Ports of kube-apiserver that do not answer; `isElsewhere`: at another address than the one by which the server is reached. */
function unreached({ url, met }: ServerPath) {
  const apiservers = met?.apiservers ?? [];
  const hasOther = apiservers.some(({ failure }) => failure === undefined);
  return apiservers.flatMap(({ url: own, failure }) => {
    const host = new URL(own).hostname;
    return failure === undefined ? [] : [{ host, failure, isElsewhere: hasOther && host !== new URL(url).hostname }];
  });
}

type Named = Direction & { readonly name: string };

function directions(met: Met): readonly Named[] {
  if (met.opened.settings.flannelBackend !== 'vxlan') return [];
  return [
    { ...met.there, name: 'from here to the server' },
    { ...met.back, name: 'from the server to here' },
  ];
}

/** What could not be tried is said, not passed over. */
function untested(met: Met): readonly Fault[] {
  const { flannelBackend } = met.opened.settings;
  if (flannelBackend !== 'vxlan')
    return note(
      `the cluster’s network is ${flannelBackend}: what it needs between nodes was not tested`,
      'nothing need be done',
    );
  return directions(met)
    .filter(({ isVxlanPort }) => !isVxlanPort)
    .flatMap(({ name }) =>
      note(
        `UDP ${vxlanPort} ${name} was not tested, since its port is in use there; another port was`,
        'nothing need be done',
      ),
    );
}

function lost({ came, name, isVxlanPort }: Named): readonly Fault[] {
  return came.length > 0
    ? fine
    : warning(`no UDP packet ${isVxlanPort ? `to port ${vxlanPort} ` : ''}came through ${name}`);
}

function tooLarge({ sent, came, name }: Named): readonly Fault[] {
  const largest = came.at(-1);
  const wanted = sent.at(-1) ?? 0;
  if (largest === undefined || largest >= wanted) return fine;
  const first = sent.find((size) => size > largest) ?? wanted;
  return warning(
    `packets of ${largest} bytes come through ${name}, those of ${first} bytes do not; the interfaces allow ${wanted}`,
  );
}

function uneven({ mtu, opened }: Met): readonly Fault[] {
  return mtu === opened.mtu ? fine : warning(`the MTU is ${mtu} here and ${opened.mtu} on the server`);
}
