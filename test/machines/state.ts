/** Everything of a machine that somebody could leave something in, so that before and after can be compared. */
import type { BoxState } from '../helpers/box-state.ts';
import type { Machine } from './machine.ts';

/** Each prints lines; a line that changes by itself is left out. */
const questions: Readonly<Record<string, string>> = {
  units: `systemctl list-units --all --plain --no-legend --no-pager | awk '{print $1, $2, $3, $4}' | grep -vE '\\.device |^(user|session|run-user|systemd-(tmpfiles-clean|journald-audit|hostnamed|timedated|localed))|^(apt-daily|e2scrub|fstrim|logrotate|phpsessionclean|dpkg-db-backup)|\\.timer ' || true`,
  unitFiles: `systemctl list-unit-files --no-legend --no-pager | awk '{print $1, $2}'`,
  processes: `ps -eo comm= 2>/dev/null | grep -vE '^(kworker|ps|sh|awk|sort|grep|systemd-(hostnam|timedat|localed|udevd)|\\(udev-worker|\\(sd-)' || true`,
  cgroups: `find /sys/fs/cgroup -type d | grep -vE '/user.slice/|systemd-(hostnamed|timedated|localed|tmpfiles-clean)|/(apt|e2scrub|fstrim|logrotate|dpkg-db)|nm-' || true`,
  mounts: `awk '{print $5, $(NF-2)}' /proc/1/mountinfo | grep -v ' autofs$' | grep -vE '^/(run/credentials|proc/sys/fs/binfmt_misc)' || true`,
  links: `ls /sys/class/net`,
  routes: `cat /proc/net/route | tail -n +2 | cut -f 1-4,8; cut -d ' ' -f 1,10 /proc/net/ipv6_route | grep -v ' lo$' | grep -v '^fe80' | grep -v '^ff' || true`,
  nft: `command -v nft >/dev/null && nft list ruleset | sed 's/packets [0-9]* bytes [0-9]*//; s/ # handle.*//' || true`,
  iptables: `for save in iptables-nft-save iptables-legacy-save ip6tables-nft-save ip6tables-legacy-save; do
    command -v $save >/dev/null && $save 2>/dev/null | sed -n "s/\\[[0-9:]*\\]//; s/^[:-].*/$save &/p" | grep -vE ' :[A-Z]+ ACCEPT' || true; done`,
  sysctls: `for f in $(find /proc/sys/net /proc/sys/vm /proc/sys/kernel /proc/sys/fs -type f -perm /444 2>/dev/null | grep -vE 'conntrack_(count|buckets)|stable_secret|fastopen_key|random/|/neigh/(eth|en)|dentry-state|file-nr|inode-(nr|state)|ns_last_pid|aio-nr|pty/nr|stat_refresh|compact_memory|drop_caches|/(sched_domain|route/flush)|epoll|hung_task_detect|perf_event_max_sample|perf_cpu|tainted|binfmt_misc|nf_log|sched_|tcp_mem|udp_mem|overflow|cap_last|ngroups|core_pipe|threads-max|mqueue|netdev_rss_key|_ratelimit_state|bpf_|shm_rmid|seccomp/actions'); do echo "$f=$(tr '\\n\\t' '  ' <$f 2>/dev/null)"; done`,
  files: `find / -xdev \\( -path /proc -o -path /sys -o -path /tmp -o -path /var/tmp -o -path /var/log/journal -o -path /var/lib/systemd -o -path /var/cache -o -path /root/.kube -o -path /mnt \\) -prune -o -printf '%p %y %m %U:%G %l\\n' | grep -vE '^/(etc/(resolv.conf|mtab)|var/lib/(NetworkManager|dhcp)|var/log/)' | sort`,
  contents: `find /etc /usr/local /lib/systemd /usr/lib/systemd -xdev -type f | grep -vE '^/etc/(machine-id|ld.so.cache)$' | sort | xargs sha256sum`,
  run: `find /run -xdev -mindepth 1 -printf '%p %y %m\\n' | grep -vE '^/run/(systemd|udev|log|user|dbus|credentials|NetworkManager|ufw|initramfs)' | sort`,
};

/** Kernel modules are not in it: one that was loaded stays, as there is no telling who needs it by now. */
export async function machineState(machine: Machine): Promise<BoxState> {
  const state: Record<string, readonly string[]> = {};
  for (const [kind, script] of Object.entries(questions)) {
    state[kind] = (await machine.sh(script)).split('\n').filter((line) => line.trim() !== '');
  }
  return state;
}
