#!/bin/bash
# lab.sh - several "hosts" on one machine, for the end-to-end tests. Root only.
#   net-up | net-down                        the switch all hosts hang on
#   up NAME N                                host NAME with address <LAB_NET>.N
#   exec NAME CMD...                         run inside the host
#   off NAME | wipe NAME                     power off (disk kept: `up` again = reboot) | power off and erase
#   freeze|thaw NAME, unplug|plug NAME, loss NAME PERCENT, rate NAME 10mbit (0 ends loss or rate)
# LAB: folder of the disks (on ext4, xfs or btrfs: overlayfs cannot stand on overlayfs). LAB_PREFIX: begins the name of
# every namespace and cgroup made here, so that two labs can coexist. LAB_NET: the first three bytes of the addresses.
# LAB_SHARE: folders bound into every host as they are.
set -euo pipefail
LAB=${LAB:-/var/tmp/klab}
LAB_PREFIX=${LAB_PREFIX:-klab}
LAB_NET=${LAB_NET:-10.77.0}
CGROUPS=/sys/fs/cgroup
SWITCH=$LAB_PREFIX-sw

fail() {
  echo "lab.sh: $*" >&2
  exit 1
}

[ "$(id -u)" = 0 ] || fail "runs as user $(id -u) but makes namespaces and mounts; run it as root"
COMMAND=${1:-}
[ -n "$COMMAND" ] || fail "which command? see the head of this file"
NAME=${2:-}
NETNS=$LAB_PREFIX-$NAME
HOST=$LAB/$NAME
case $COMMAND in net-up | net-down) ;; *) [ -n "$NAME" ] || fail "$COMMAND: which host?" ;; esac

# The v1 hierarchies by folder name, or nothing on a machine with cgroup v2 alone.
mapfile -t V1 < <(awk '$3 == "cgroup" { n = split($2, part, "/"); print part[n] }' /proc/mounts | sort -u)
if [ -e $CGROUPS/cgroup.controllers ]; then HIERARCHIES=(.); else HIERARCHIES=("${V1[@]}" unified); fi

# Moves the calling subshell (not this script) into the host's cgroups.
enter_cgroups() {
  local hierarchy
  for hierarchy in "${HIERARCHIES[@]}"; do echo "$BASHPID" >"$CGROUPS/$hierarchy/$NETNS/cgroup.procs"; done
}

plug_in() {
  ip netns add "$NETNS"
  ip -n "$NETNS" link add eth0 type veth peer name "p-$NAME" netns "$SWITCH"
  ip -n "$SWITCH" link set "p-$NAME" master br0 up
  ip -n "$NETNS" link set lo up
  ip -n "$NETNS" addr add "$LAB_NET.$1/24" dev eth0
  ip -n "$NETNS" link set eth0 up
  ip -n "$NETNS" route add default via "$LAB_NET.1"
}

make_cgroups() {
  local hierarchy file
  for hierarchy in "${HIERARCHIES[@]}"; do mkdir -p "$CGROUPS/$hierarchy/$NETNS"; done
  [ -d $CGROUPS/cpuset ] || return 0
  # A new v1 cpuset refuses every process until these are filled in.
  for file in cpuset.cpus cpuset.mems; do cat "$CGROUPS/cpuset/$file" >"$CGROUPS/cpuset/$NETNS/$file"; done
  echo 1 >"$CGROUPS/cpuset/$NETNS/cgroup.clone_children"
}

# The host's first program: builds its root, then waits for its end. Written with this script's values filled in.
write_init() {
  cat >"$HOST/init.sh" <<INIT
set -e
mount --make-rprivate /
R=$HOST/root
mount -t overlay root-$NAME -o lowerdir=/,upperdir=$HOST/upper,workdir=$HOST/work \$R
for d in /var/lib /var/log /tmp; do mkdir -p $HOST/disk\$d \$R\$d; done
for d in kubelet containerd cni kagent; do mkdir -p $HOST/disk/var/lib/\$d \$R/var/lib/\$d; mount --bind $HOST/disk/var/lib/\$d \$R/var/lib/\$d; done
for d in /var/log /tmp; do mount --bind $HOST/disk\$d \$R\$d; done
for d in ${LAB_SHARE:-}; do mkdir -p \$R\$d; mount --bind \$d \$R\$d; done
mount -t proc proc \$R/proc
mount -t sysfs sysfs \$R/sys
mount --rbind /dev \$R/dev
if [ -e $CGROUPS/cgroup.controllers ]; then
  mount -t cgroup2 cgroup2 \$R$CGROUPS
else
  mount -t tmpfs -o mode=755 cgroup \$R$CGROUPS
  for c in ${V1[*]}; do mkdir \$R$CGROUPS/\$c; o=\$c; [ \$c != systemd ] || o=none,name=systemd; mount -t cgroup -o \$o cgroup \$R$CGROUPS/\$c; done
  mkdir \$R$CGROUPS/unified; mount -t cgroup2 cgroup2 \$R$CGROUPS/unified
fi
mount -t tmpfs -o mode=755 run \$R/run; mkdir -p \$R/run/lock \$R/run/netns \$R/old
cd \$R; pivot_root . old; cd /; umount -l /old; rmdir /old
mount --make-rshared /
[ -s /etc/lab-id ] || tr -d - </proc/sys/kernel/random/uuid >/etc/lab-id; cp /etc/lab-id /etc/machine-id
hostname $NAME; echo $NAME >/etc/hostname
printf '127.0.0.1 localhost\n$LAB_NET.$1 $NAME\n' >/etc/hosts; echo nameserver $LAB_NET.1 >/etc/resolv.conf
touch /run/lab-ready
trap 'exit 0' TERM
while :; do sleep 1000 & wait \$!; done
INIT
}

boot() {
  local outer init
  (
    enter_cgroups
    exec setsid nsenter --net="/run/netns/$NETNS" unshare --mount --uts --ipc --pid --cgroup --fork --kill-child bash "$HOST/init.sh"
  ) >"$HOST/init.log" 2>&1 </dev/null &
  outer=$!
  for _ in $(seq 100); do
    init=$(tr -d ' ' <"/proc/$outer/task/$outer/children" || true)
    if [ -n "$init" ] && [ -e "/proc/$init/root/run/lab-ready" ]; then
      echo "$init" >"$HOST/pid"
      return
    fi
    sleep 0.05
  done
  cat "$HOST/init.log" >&2
  fail "host $NAME did not come up"
}

power_off() {
  local hierarchy
  [ ! -s "$HOST/pid" ] || kill -KILL "$(cat "$HOST/pid")" 2>/dev/null || true
  for hierarchy in "${HIERARCHIES[@]}"; do
    [ -d "$CGROUPS/$hierarchy/$NETNS" ] || continue
    for _ in $(seq 100); do
      # A cgroup is busy for a moment after its last process, and find does not say whether rmdir succeeded.
      find "$CGROUPS/$hierarchy/$NETNS" -depth -type d -exec rmdir {} \; 2>/dev/null || true
      [ -d "$CGROUPS/$hierarchy/$NETNS" ] || break
      sleep 0.05
    done
  done
  # The kernel takes a namespace away in its own time, and with it links, rules, conntrack and vxlan; the cable goes now.
  ip -n "$SWITCH" link del "p-$NAME" 2>/dev/null || true
  [ ! -e "/run/netns/$NETNS" ] || ip netns del "$NETNS"
  rm -f "$HOST/pid"
}

case $COMMAND in
net-up)
  ip netns add "$SWITCH"
  ip -n "$SWITCH" link set lo up
  ip -n "$SWITCH" link add br0 type bridge
  ip -n "$SWITCH" link set br0 up
  ip -n "$SWITCH" addr add "$LAB_NET.1/24" dev br0
  # A wire, not a firewall: otherwise host-to-host frames pass the switch's own iptables and conntrack.
  ip netns exec "$SWITCH" sh -c 'echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables; echo 0 >/proc/sys/net/ipv4/ip_forward'
  ;;
net-down) [ ! -e "/run/netns/$SWITCH" ] || ip netns del "$SWITCH" ;;
up)
  mkdir -p "$HOST"/{upper,work,root,disk}
  [ -e "/run/netns/$NETNS" ] || plug_in "${3:?which last byte of the address?}"
  make_cgroups
  write_init "${3:?which last byte of the address?}"
  boot
  ;;
exec)
  shift 2
  [ -s "$HOST/pid" ] || fail "host $NAME is off"
  enter_cgroups
  exec nsenter -t "$(cat "$HOST/pid")" -m -u -i -n -p -C "$@"
  ;;
off) power_off ;;
wipe)
  power_off
  rm -rf "${HOST:?}"
  ;;
freeze) echo FROZEN >"$CGROUPS/freezer/$NETNS/freezer.state" ;;
thaw) echo THAWED >"$CGROUPS/freezer/$NETNS/freezer.state" ;;
unplug) ip -n "$SWITCH" link set "p-$NAME" down ;;
plug) ip -n "$SWITCH" link set "p-$NAME" up ;;
rate)
  tc -n "$SWITCH" qdisc del dev "p-$NAME" root 2>/dev/null || true
  [ "${3:?}" = 0 ] || tc -n "$SWITCH" qdisc add dev "p-$NAME" root tbf rate "$3" burst 32kbit latency 400ms
  ;;
loss) # netem is not in every kernel; drop in the switch instead
  ip netns exec "$SWITCH" nft "add table bridge lab; add chain bridge lab f { type filter hook forward priority 0; }; flush chain bridge lab f"
  [ "${3:?}" = 0 ] || ip netns exec "$SWITCH" nft add rule bridge lab f oifname "p-$NAME" numgen random mod 100 \< "$3" drop
  ;;
*) fail "no command is named $COMMAND; see the head of this file" ;;
esac
