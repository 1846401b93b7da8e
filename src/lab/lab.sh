#!/bin/bash
# lab.sh - several "hosts" on one machine, for `kagent lab` and the end-to-end tests. Root only.
#   net-up | net-down                        the switch all hosts hang on
#   up NAME N                                host NAME with address <LAB_NET>.N
#   exec NAME CMD...                         run inside the host
#   state NAME                               prints on, off, frozen or unplugged
#   off NAME | wipe NAME                     power off (disk kept: `up` again = reboot) | power off and erase
#   freeze|thaw NAME, unplug|plug NAME, loss NAME PERCENT, rate NAME 10mbit (0 ends loss or rate)
#   mtu NAME SIZE                            what the switch takes from NAME; the host itself still says 1500
# LAB: folder of the disks (on ext4, xfs or btrfs: overlayfs cannot stand on overlayfs). LAB_PREFIX: begins the name of
# every namespace and cgroup made here, so that two labs can coexist. LAB_NET: the first three bytes of the addresses.
# LAB_SHARE: folders bound into every host as they are.
# LAB_UPLINK: for `up`, `none`: the host has no default route; `user`: its way out is a card of its own before the one on the
# switch, with the address that QEMU's and VirtualBox's user network gives every machine.
# LAB_ROOT, LAB_INIT: for `up`, the folder whose copy the host's root is, and its first program, a service manager; without
# them a host is a copy of this machine on which nothing runs.
set -euo pipefail
umask 022 # a host's own users enter its root, whatever the shell before had
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
HIERARCHIES=("${V1[@]}")
LEAF=. # below the host's cgroup: where its processes are
[ ! -e $CGROUPS/unified/cgroup.controllers ] || HIERARCHIES+=(unified)
# With v2 a cgroup that hands controllers down has no process itself, and the kubelet wants that of the host's root.
[ ! -e $CGROUPS/cgroup.controllers ] || { HIERARCHIES=(.) && LEAF=init; }

# Moves a process into the host's cgroups, or into this one folder below them.
enter_cgroups() {
  local hierarchy
  for hierarchy in "${HIERARCHIES[@]}"; do echo "$1" >"$CGROUPS/$hierarchy/$NETNS/$2/cgroup.procs"; done
}

# Init stands in the host's own cgroup until the cgroup namespace is made there; with v2 it cannot stay.
move_to_leaf() {
  local pid
  while read -r pid <"$CGROUPS/$NETNS/cgroup.procs"; do enter_cgroups "$pid" $LEAF 2>/dev/null || true; done # or it has ended
}

# Every process of the host, those in pods too. The cgroup is asked, not the file pid, which may be of an earlier boot.
processes() {
  find "$CGROUPS/${HIERARCHIES[0]}/$NETNS" -name cgroup.procs -exec cat {} + 2>/dev/null || true
}

is_on() { [ -s "$HOST/pid" ] && processes | grep -qx "$(cat "$HOST/pid")"; }

freezer() { # FROZEN, THAWED, or nothing: prints which
  local v1=$CGROUPS/freezer/$NETNS/freezer.state v2=$CGROUPS/$NETNS/cgroup.freeze
  case $1 in
  '') if [ -e "$v1" ]; then cat "$v1"; else sed 's/0/THAWED/; s/1/FROZEN/' "$v2"; fi ;;
  *) if [ -e "$v1" ]; then echo "$1" >"$v1"; else echo "$1" | sed 's/THAWED/0/; s/FROZEN/1/' >"$v2"; fi ;;
  esac
}

plug_in() {
  local card=eth0
  ip netns add "$NETNS"
  ip -n "$NETNS" link set lo up
  if [ "${LAB_UPLINK:-}" = user ]; then
    card=eth1
    ip -n "$NETNS" link add eth0 type veth peer name "u-$NAME" netns "$SWITCH"
    ip -n "$SWITCH" link set "u-$NAME" up
    ip -n "$NETNS" addr add 10.0.2.15/24 dev eth0
    ip -n "$NETNS" link set eth0 up
    ip -n "$NETNS" route add default via 10.0.2.2
  fi
  ip -n "$NETNS" link add $card type veth peer name "p-$NAME" netns "$SWITCH"
  ip -n "$SWITCH" link set "p-$NAME" master br0 up
  ip -n "$NETNS" addr add "$LAB_NET.$1/24" dev $card
  ip -n "$NETNS" link set $card up
  [ -n "${LAB_UPLINK:-}" ] || ip -n "$NETNS" route add default via "$LAB_NET.1"
}

make_cgroups() {
  local hierarchy controller file
  for hierarchy in "${HIERARCHIES[@]}"; do mkdir -p "$CGROUPS/$hierarchy/$NETNS/$LEAF"; done
  if [ -e $CGROUPS/cgroup.controllers ]; then
    for controller in cpuset cpu io memory pids; do echo "+$controller" >$CGROUPS/cgroup.subtree_control || true; done 2>/dev/null
  fi
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
mount -t overlay root-$NAME -o lowerdir=${LAB_ROOT:-/},upperdir=$HOST/upper,workdir=$HOST/work \$R
for d in /var/lib /var/log /tmp; do mkdir -p $HOST/disk\$d \$R\$d; done
for d in kubelet containerd cni kagent; do mkdir -p $HOST/disk/var/lib/\$d \$R/var/lib/\$d; mount --bind $HOST/disk/var/lib/\$d \$R/var/lib/\$d; done
for d in /var/log /tmp; do mount --bind $HOST/disk\$d \$R\$d; done
chmod 1777 \$R/tmp
for d in ${LAB_SHARE:-}; do mkdir -p \$R\$d; mount --bind \$d \$R\$d; done
mount -t proc proc \$R/proc
mount -t sysfs sysfs \$R/sys
$(mount_dev)
if [ -e $CGROUPS/cgroup.controllers ]; then
  mount -t cgroup2 cgroup2 \$R$CGROUPS
else
  mount -t tmpfs -o mode=755 cgroup \$R$CGROUPS
  for c in ${V1[*]}; do
    mkdir \$R$CGROUPS/\$c
    case \$c in systemd | openrc | elogind) o=none,name=\$c ;; *) o=\$c ;; esac
    mount -t cgroup -o \$o cgroup \$R$CGROUPS/\$c
  done
  [ ! -e $CGROUPS/unified/cgroup.controllers ] || { mkdir \$R$CGROUPS/unified; mount -t cgroup2 cgroup2 \$R$CGROUPS/unified; }
fi
mount -t tmpfs -o mode=755 run \$R/run; mkdir -p \$R/run/lock \$R/run/netns \$R/old
cd \$R; pivot_root . old; cd /; umount -l /old; rmdir /old
mount --make-rshared /
[ -s /etc/lab-id ] || tr -d - </proc/sys/kernel/random/uuid >/etc/lab-id; cp /etc/lab-id /etc/machine-id
hostname $NAME; echo $NAME >/etc/hostname
rm -f /etc/resolv.conf # where it is a link, it leads into the machine's /run
printf '127.0.0.1 localhost\n$LAB_NET.$1 $NAME\n' >/etc/hosts; echo nameserver $LAB_NET.1 >/etc/resolv.conf
touch /run/lab-ready
$(first_program)
INIT
}

# A service manager would set the machine's own devices to rights: it gets some that are the host's.
mount_dev() {
  if [ -z "${LAB_INIT:-}" ]; then
    echo "mount --rbind /dev \$R/dev"
    return
  fi
  cat <<'DEV'
mount -t tmpfs -o mode=755 dev $R/dev
for d in null zero full random urandom tty kmsg fuse; do [ ! -e /dev/$d ] || cp -a /dev/$d $R/dev/$d; done
mkdir $R/dev/pts $R/dev/shm $R/dev/mqueue
mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts $R/dev/pts
mount -t tmpfs -o mode=1777 shm $R/dev/shm
ln -s pts/ptmx $R/dev/ptmx
for l in fd: stdin:/0 stdout:/1 stderr:/2; do ln -s /proc/self/fd${l#*:} $R/dev/${l%:*}; done
: >$R/dev/console
DEV
}

# `container` tells a service manager that clock, kernel log and consoles are not its business.
first_program() {
  if [ -n "${LAB_INIT:-}" ]; then
    echo "exec env -i container=lab PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin $LAB_INIT"
  else
    printf '%s\n' "trap 'exit 0' TERM" 'while :; do sleep 1000 & wait $!; done'
  fi
}

boot() {
  local outer init
  (
    enter_cgroups "$BASHPID" .
    exec setsid nsenter --net="/run/netns/$NETNS" unshare --mount --uts --ipc --pid --cgroup --fork --kill-child bash "$HOST/init.sh"
  ) >"$HOST/init.log" 2>&1 </dev/null &
  outer=$!
  for _ in $(seq 100); do
    init=$(tr -d ' ' <"/proc/$outer/task/$outer/children" || true)
    if [ -n "$init" ] && [ -e "/proc/$init/root/run/lab-ready" ]; then
      [ $LEAF = . ] || move_to_leaf
      echo "$init" >"$HOST/pid"
      return
    fi
    sleep 0.05
  done
  cat "$HOST/init.log" >&2
  fail "host $NAME did not come up"
}

power_off() {
  local hierarchy pids port
  freezer THAWED 2>/dev/null || true # a frozen process does not die
  for _ in $(seq 200); do
    mapfile -t pids < <(processes)
    [ ${#pids[@]} -gt 0 ] || break
    kill -KILL "${pids[@]}" 2>/dev/null || true
    sleep 0.05
  done
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
  for port in p u; do ip -n "$SWITCH" link del "$port-$NAME" 2>/dev/null || true; done
  [ ! -e "/run/netns/$NETNS" ] || ip netns del "$NETNS"
  rm -f "$HOST/pid"
}

case $COMMAND in
net-up)
  [ ! -e "/run/netns/$SWITCH" ] || exit 0
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
  is_on || fail "host $NAME is off"
  enter_cgroups "$BASHPID" $LEAF
  exec nsenter -t "$(cat "$HOST/pid")" -m -u -i -n -p -C "$@"
  ;;
state)
  if ! is_on; then
    echo off
  elif [ "$(freezer '')" != THAWED ]; then
    echo frozen
  elif [ -z "$(ip -n "$SWITCH" link show "p-$NAME" up)" ]; then
    echo unplugged
  else
    echo on
  fi
  ;;
off) power_off ;;
wipe)
  power_off
  rm -rf "${HOST:?}"
  ;;
freeze) freezer FROZEN ;;
thaw) freezer THAWED ;;
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
mtu) ip -n "$SWITCH" link set "p-$NAME" mtu "${3:?}" ;;
*) fail "no command is named $COMMAND; see the head of this file" ;;
esac
