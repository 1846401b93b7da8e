/**
 * Programs that kubelet, kube-proxy, flanneld and the CNI plugins expect on a box, for one that has them not: iptables, out of
 * Debian's packages together with the C library it was built for, and busybox under four names. The box's own come
 * first wherever there are any.
 */
import { existsSync } from 'node:fs';
import { copyFile, readFile, readlink, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { busyboxLicence, busyboxVersion } from './busybox.ts';
import { hashOf, hashOfFile } from './cache.ts';
import type { Cache } from './cache.ts';
import { candidateOf, unpackDebian } from './debian.ts';
import type { Part } from './modules.ts';
import type { Artefact, Plan, Producer } from './plan.ts';
import type { Target } from './target.ts';

/** What Kubernetes' rules use, and what people write beside them. */
const words = (text: string) => text.trim().split(/\s+/);
const extensions = [
  ...words('icmp REJECT ah ttl TTL NETMAP').map((name) => `libipt_${name}.so`),
  ...words('icmp6 REJECT ah hl HL NETMAP ipv6header').map((name) => `libip6t_${name}.so`),
  ...words(`
    addrtype bpf cgroup comment connlimit connmark conntrack devgroup dscp esp hashlimit helper iprange length limit
    mac mark multiport nfacct owner physdev pkttype policy quota recent rpfilter sctp set socket standard statistic string
    tcp tcpmss time tos u32 udp CHECKSUM CLASSIFY CONNMARK CT DSCP LOG MARK NAT NFLOG NFQUEUE SET TCPMSS TOS TPROXY TRACE
  `).map((name) => `libxt_${name}.so`),
];

/** One file under several names, as Debian has them. */
const extensionLinks: Readonly<Record<string, string>> = {
  'libxt_DNAT.so': 'libxt_NAT.so',
  'libxt_SNAT.so': 'libxt_NAT.so',
  'libxt_MASQUERADE.so': 'libxt_NAT.so',
  'libxt_REDIRECT.so': 'libxt_NAT.so',
  'libxt_NOTRACK.so': 'libxt_CT.so',
  'libxt_state.so': 'libxt_conntrack.so',
};

/** Package → its files. The loader has another name on each kind of processor, and `ld.so` here. */
function filesOf({ triplet, arch }: Target): Readonly<Record<string, readonly string[]>> {
  const library = `usr/lib/${triplet}`;
  const loader = arch === 'arm64' ? 'ld-linux-aarch64.so.1' : 'ld-linux-x86-64.so.2';
  return {
    iptables: [
      'usr/sbin/xtables-nft-multi',
      'usr/sbin/xtables-legacy-multi',
      ...extensions.map((name) => `${library}/xtables/${name}`),
    ],
    libxtables12: [`${library}/libxtables.so.12`],
    libip4tc2: [`${library}/libip4tc.so.2`],
    libip6tc2: [`${library}/libip6tc.so.2`],
    libmnl0: [`${library}/libmnl.so.0`],
    libnftnl11: [`${library}/libnftnl.so.11`],
    libatomic1: [`${library}/libatomic.so.1`],
    libc6: [`lib/${triplet}/libc.so.6`, `lib/${triplet}/libm.so.6`, `lib/${triplet}/${loader}`],
  };
}

/** Some packages have that of another, which they lead to with a link: libatomic1 to gcc-12-base. */
async function keepCopyright(name: string, target: Target, dir: string): Promise<void> {
  const owner = basename(await readlink(join(dir, 'package/usr/share/doc', name)).catch(() => name));
  if (owner !== name) {
    await rm(join(dir, 'package'), { recursive: true });
    await unpackDebian({ name: owner, version: await candidateOf(owner) }, target, dir);
  }
  await copyFile(join(dir, 'package/usr/share/doc', owner, 'copyright'), join(dir, `${name}.copyright`));
}

/** From Debian 13 on a package has nothing in /lib any more: there it is a link to /usr/lib. */
function unpacked(dir: string, file: string): string {
  const path = join(dir, 'package', file);
  return existsSync(path) ? path : join(dir, 'package/usr', file);
}

const nameOf = (path: string) => (basename(path).startsWith('ld-') ? 'ld.so' : basename(path));
const folder = 'aux';
/** Not for iptables but for kagent itself: a server serves it to hosts on which its executable does not run without it. */
const apart = 'libatomic.so.1';
export const libraryApart = `${folder}/${apart}`;
const iptablesNames = ['iptables-restore', 'iptables-save', 'ip6tables', 'ip6tables-restore', 'ip6tables-save'];
const busyboxNames = ['ip', 'modprobe', 'mount', 'umount'];
const licence = 'GPL-2.0-or-later AND LGPL-2.1-or-later AND GPL-3.0-or-later WITH GCC-exception-3.1';

export async function planHostTools(options: {
  readonly target: Target;
  /** The folder `components/host-tools`. */
  readonly sources: string;
  readonly cache: Cache;
  /** Has the file `busybox`. */
  readonly busybox: Producer;
}): Promise<Pick<Plan, 'producers' | 'artefacts' | 'links' | 'components'>> {
  const { target, sources, cache, busybox } = options;
  const wanted = Object.entries(filesOf(target));
  const versions = new Map(await Promise.all(wanted.map(async ([name]) => [name, await candidateOf(name)] as const)));
  const script = join(sources, 'iptables');
  const producer: Producer = {
    name: 'iptables',
    key: hashOf([wanted, [...versions], target.arch, await hashOfFile(script)]),
    estimateMs: 5000,
    tools: ['debianPackages'],
    build: async (dir) => {
      await copyFile(script, join(dir, 'iptables'));
      for (const [name, files] of wanted) {
        await unpackDebian({ name, version: versions.get(name) ?? '' }, target, dir);
        for (const file of files) await copyFile(unpacked(dir, file), join(dir, nameOf(file)));
        await keepCopyright(name, target, dir);
        await rm(join(dir, 'package'), { recursive: true });
      }
    },
  };
  const version = versions.get('iptables') ?? '';
  const artefact = (file: string, path: string): Artefact => ({
    producer,
    file,
    path,
    component: 'iptables',
    version,
    licence,
    mode: 0o755,
  });
  const parts = async (): Promise<readonly Part[]> => {
    const dir = await cache.entry(producer);
    const texts = wanted.map(async ([name]) => ({
      name,
      version: versions.get(name) ?? '',
      purl: `pkg:deb/debian/${name}@${versions.get(name)}`,
      licence,
      texts: [(await readFile(join(dir, `${name}.copyright`), 'utf8')).trim()],
    }));
    return await Promise.all(texts);
  };
  return {
    producers: [producer],
    artefacts: [
      artefact('iptables', `${folder}/iptables`),
      ...wanted
        .flatMap(([, files]) => files.map(nameOf))
        .map((name) => artefact(name, name === apart ? `${folder}/${name}` : `${folder}/xtables/${name}`)),
      {
        ...artefact('busybox', `${folder}/busybox`),
        producer: busybox,
        component: 'busybox',
        version: busyboxVersion,
        licence: busyboxLicence,
      },
    ],
    links: [
      ...iptablesNames.map((name) => ({ path: `${folder}/${name}`, target: 'iptables' })),
      ...busyboxNames.map((name) => ({ path: `${folder}/${name}`, target: 'busybox' })),
      ...Object.entries(extensionLinks).map(([name, target_]) => ({
        path: `${folder}/xtables/${name}`,
        target: target_,
      })),
    ],
    components: [{ name: 'iptables', version, licence, parts }],
  };
}
