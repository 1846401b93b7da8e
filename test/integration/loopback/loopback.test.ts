import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';

const guard = resolve(import.meta.dirname, '../../../src/agent/node/loopback-guard.ts');
const log = resolve(import.meta.dirname, '../../../src/shared/log/log.ts');

const program = `
import { guardLoopback } from '${guard}';
import { silentLog } from '${log}';
await guardLoopback({ path: process.env.PATH, log: silentLog });
`;

/** A box and a neighbour of it, which sends packets for a loopback address to the box. */
const script = `
localnet=/proc/sys/net/ipv4/conf/all/route_localnet
ip link set lo up
unshare --net sleep 60 & neighbour=$!
listener=
trap 'kill $neighbour $listener' EXIT
while [ "$(readlink /proc/$neighbour/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
ip link add v0 type veth peer name v1 netns $neighbour
ip addr add 192.0.2.1/24 dev v0 && ip link set v0 up
nsenter --target $neighbour --net sh -ec "ip link set lo up; ip addr add 192.0.2.2/24 dev v1; ip link set v1 up; echo 1 >$localnet
ip rule add pref 2 lookup local; ip rule del pref 0; ip rule add pref 1 to 127.0.0.77 lookup 77; ip route add 127.0.0.77 via 192.0.2.1 table 77"
perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(LocalAddr => "127.0.0.77", LocalPort => 8099, Listen => 5) or die; 1 while $s->accept' & listener=$!
while ! grep -q 4D00007F:1FA3 /proc/net/tcp; do sleep 0.05; done
reached() {
	nsenter --target $neighbour --net perl -MIO::Socket::INET -e 'exit !IO::Socket::INET->new(PeerAddr => "127.0.0.77:8099", Timeout => 1)' &&
		echo "$1: reached" || echo "$1: closed"
}
reached 'before'
"$2" --input-type=module -e "$1"
echo 1 >$localnet # as kube-proxy does when it starts
reached 'with the guard'
iptables -F KUBE-FIREWALL
reached 'without it'
`;

test("kube-proxy's opening of 127.0.0.1 reaches no neighbour, from the first moment on", () => {
  const unshare = [
    '--user',
    '--map-root-user',
    '--net',
    '--mount',
    'sh',
    '-ec',
    script,
    'sh',
    program,
    process.execPath,
  ];
  const said = execFileSync('unshare', unshare, { encoding: 'utf8' });
  expect(said.trim().split('\n')).toEqual(['before: closed', 'with the guard: closed', 'without it: reached']);
});
