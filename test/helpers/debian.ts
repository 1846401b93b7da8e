/** A small Debian with systemd, OpenRC and cron in it, made once for each machine: what a host in a lab boots from. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { defaultCacheDir, hashOf, openCache } from '../../scripts/build/cache.ts';
import { mirror } from '../../scripts/build/debian.ts';

const run = promisify(execFile);

const suite = 'bookworm'; // its systemd is the last but a few that still runs on cgroup v1
const managers = ['systemd', 'dbus', 'openrc', 'cron'];
/** What install.sh would install: a host in a lab reaches no mirror. */
const needed = ['iproute2', 'iptables', 'kmod', 'libatomic1', 'procps'];
const packages = [...managers, ...needed];
/** Of what every installed system has. */
const forLab = ['mount'];

/** First programs: what is booted, of the three that are there. */
export const inits = {
  systemd: '/lib/systemd/systemd --log-target=console --show-status=0',
  openrc: '/sbin/openrc-init',
  none: '/usr/local/sbin/plain-init',
} as const;

/**
 * What belongs to hardware, to the machine around or to a mirror is not for a host in a lab: its clock, its sysctls, its
 * file systems (OpenRC's end would remount the machine's disk read-only), consoles, packages.
 */
const adaptation = `set -e
cd /etc/systemd/system
for unit in systemd-sysctl.service systemd-modules-load.service systemd-remount-fs.service console-getty.service \\
  getty.target apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer dpkg-db-backup.timer; do
  ln -sf /dev/null $unit
done
rm -f /etc/runlevels/sysinit/* /etc/runlevels/off/* /etc/runlevels/default/*
printf '%s\\n' 'rc_sys="lxc"' 'rc_controller_cgroups="NO"' >>/etc/rc.conf
cat >${inits.none} <<'INIT'
#!/bin/bash
# As small as an init gets: cron, rc.local, and nothing is left a zombie.
cron
[ ! -x /etc/rc.local ] || /etc/rc.local
trap 'exit 0' TERM
while :; do sleep 1000 & wait $!; done
INIT
chmod 755 ${inits.none}
`;

/** The folder of the root, which nobody changes: each host's changes go to its own disk. */
export async function debianRoot(): Promise<string> {
  const cache = await openCache(defaultCacheDir);
  const entry = await cache.entry({
    name: 'debian',
    key: hashOf({ suite, packages, adaptation }),
    async build(dir) {
      const root = join(dir, 'root');
      const flags = ['--quiet', '--variant=minbase', `--include=${packages.join(',')}`];
      const hook = `--customize-hook=chroot "$1" /bin/sh -c "$ADAPTATION"`;
      const env = { ...process.env, ADAPTATION: adaptation };
      await run('mmdebstrap', [...flags, hook, suite, root, `deb ${await mirror()} ${suite} main`], { env });
    },
  });
  return join(entry, 'root');
}

/** What mmdebstrap's `apt` variant has, and by which a lab's host comes up. Nobody changes it, as above. */
export async function bareRoot(suite: string): Promise<string> {
  const cache = await openCache(defaultCacheDir);
  const entry = await cache.entry({
    name: `bare-${suite}`,
    key: hashOf({ suite, forLab }),
    async build(dir) {
      const source = `deb ${await mirror()} ${suite} main`;
      const flags = ['--quiet', '--variant=apt', `--include=${forLab.join(',')}`];
      await run('mmdebstrap', [...flags, suite, join(dir, 'root'), source]);
    },
  });
  return join(entry, 'root');
}
