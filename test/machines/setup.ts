/** What makes a plain Debian a machine of these tests: its name, its cards and its firewall, as its owner would have them. */
import type { Firewall, NetworkManager } from './image.ts';

export const networkPackages: Readonly<Record<NetworkManager, readonly string[]>> = {
  networkd: [],
  NetworkManager: ['network-manager'],
  ifupdown: ['ifupdown', 'iproute2'],
};

export function services(network: NetworkManager, firewall: Firewall): readonly string[] {
  const ofNetwork = { networkd: 'systemd-networkd', NetworkManager: 'NetworkManager', ifupdown: 'networking' } as const;
  return [ofNetwork[network], ...(firewall === 'none' ? [] : [firewall])];
}

/** As a careful owner sets them up: only SSH comes in, and nothing passes through. */
export const firewallFiles: Readonly<Record<Firewall, Readonly<Record<string, string>>>> = {
  none: {},
  ufw: {}, // its own defaults: incoming and routed packets are dropped
  firewalld: {}, // its own: zone public
  nftables: {
    '/etc/nftables.conf': `#!/usr/sbin/nft -f
flush ruleset
table inet filter {
  chain input {
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    iif lo accept
    ip protocol icmp accept
    ip6 nexthdr icmpv6 accept
    tcp dport 22 accept
  }
  chain forward { type filter hook forward priority filter; policy drop; }
  chain output { type filter hook output priority filter; policy accept; }
}
`,
  },
};

/** Before any network: at that time the cards are there, and their configuration is written for whoever reads it. */
export const bootUnit = `[Unit]
Description=Name and cards of this test machine
DefaultDependencies=no
After=systemd-remount-fs.service systemd-udev-trigger.service systemd-tmpfiles-setup-dev.service
Before=network-pre.target sysinit.target
Wants=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/machine-boot

[Install]
WantedBy=sysinit.target
`;

/** Debian's waits for a port that only QEMU has. */
export const userModeAgentUnit = `[Unit]
Description=QEMU Guest Agent on a serial port
[Service]
ExecStart=/usr/sbin/qemu-ga --method=isa-serial --path=/dev/ttyS1
Restart=always
[Install]
WantedBy=multi-user.target
`;

/**
 * The kernel's command line has `machine.name=m1` and for each card `machine.card=<mac>,<address/length>,<gateway>`, of which
 * address and gateway may be empty.
 */
export function bootScript(network: NetworkManager): string {
  return `#!/bin/sh
set -eu
udevadm settle
name=
cards=
for word in $(cat /proc/cmdline); do
  case $word in
  machine.name=*) name=\${word#*=} ;;
  machine.card=*) cards="$cards \${word#*=}" ;;
  esac
done
echo "$name" >/etc/hostname
hostname "$name" 2>/dev/null || echo "$name" >/proc/sys/kernel/hostname
printf '127.0.0.1 localhost\\n127.0.1.1 %s\\n::1 localhost\\n' "$name" >/etc/hosts
device_of() {
  for device in /sys/class/net/*; do
    [ "$(cat "$device/address")" != "$1" ] || basename "$device"
  done
}
${writers[network]}
for card in $cards; do
  mac=\${card%%,*}
  rest=\${card#*,}
  configure "$(device_of "$mac")" "\${rest%%,*}" "\${rest#*,}"
done
`;
}

/** `configure DEVICE ADDRESS/LENGTH GATEWAY` for each of those that bring up cards. */
const writers: Readonly<Record<NetworkManager, string>> = {
  networkd: `configure() {
  {
    printf '[Match]\\nName=%s\\n[Network]\\nIPv6AcceptRA=no\\n' "$1"
    [ -z "$2" ] || printf 'Address=%s\\n' "$2"
    [ -z "$3" ] || printf 'Gateway=%s\\n' "$3"
  } >"/etc/systemd/network/10-$1.network"
}`,
  NetworkManager: `configure() {
  file="/etc/NetworkManager/system-connections/$1.nmconnection"
  if [ -n "$2" ]; then
    ipv4="method=manual
address1=$2\${3:+,$3}"
  else
    ipv4=method=disabled
  fi
  printf '[connection]\\nid=%s\\ntype=ethernet\\ninterface-name=%s\\n[ipv4]\\n%s\\n[ipv6]\\nmethod=link-local\\n' "$1" "$1" "$ipv4" >"$file"
  chmod 600 "$file"
}`,
  ifupdown: `printf 'auto lo\\niface lo inet loopback\\n' >/etc/network/interfaces
configure() {
  {
    if [ -n "$2" ]; then
      printf 'auto %s\\niface %s inet static\\n  address %s\\n' "$1" "$1" "$2"
      [ -z "$3" ] || printf '  gateway %s\\n' "$3"
    else
      printf 'auto %s\\niface %s inet6 manual\\n' "$1" "$1"
    fi
  } >>/etc/network/interfaces
}`,
};
