/** The small programs that tests run in their images, by Debian's packages. */
import { execFile } from 'node:child_process';
import { lstat, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { hashOf } from '../../scripts/build/cache.ts';
import type { Cache } from '../../scripts/build/cache.ts';
import { mirror } from '../../scripts/build/debian.ts';
import type { Image, ImageFile } from '../../scripts/build/oci.ts';

const suite = 'trixie';
/** What upstream's Dockerfile of agnhost takes from Alpine, by Debian's names. */
const tools = [
  'base-files',
  'bash',
  'bind9-dnsutils',
  'busybox-static',
  'curl',
  'dash',
  'iproute2',
  'netcat-openbsd',
  'socat',
  'util-linux',
];
const without = '/usr/share/{doc,man,locale,bash-completion}/*';

export type Tree = Required<Pick<Image, 'files' | 'folders' | 'links'>>;

/** Unpacked, not installed: no package's script has run. What no package brings is BusyBox's, but its shell, which prefers its own nc. */
export async function debianTools(cache: Cache): Promise<Tree> {
  const run = promisify(execFile);
  const dir = await cache.entry({
    name: 'upstream-debian',
    key: hashOf([suite, tools, without, process.arch]),
    async build(folder) {
      const flags = [
        '--quiet',
        '--variant=extract',
        `--include=${tools.join(',')}`,
        `--dpkgopt=path-exclude=${without}`,
      ];
      await run('mmdebstrap', [...flags, suite, join(folder, 'root'), `deb ${await mirror()} ${suite} main`]);
      await rm(join(folder, 'root/dev'), { recursive: true }); // the runtime makes its own
    },
  });
  const tree = await treeOf(join(dir, 'root'));
  const { stdout } = await run(join(dir, 'root/usr/bin/busybox'), ['--list']);
  const present = new Set([...tree.files.map(({ path }) => path), ...Object.keys(tree.links)]);
  const applets = stdout
    .split('\n')
    .filter((applet) => applet !== '' && !present.has(`/usr/bin/${applet}`) && !present.has(`/usr/sbin/${applet}`))
    .map((applet) => [`/usr/bin/${applet}`, 'busybox']);
  const alternatives = { '/usr/bin/nc': 'nc.openbsd', '/usr/bin/sh': 'dash' };
  return { ...tree, links: { ...tree.links, ...Object.fromEntries(applets), ...alternatives } };
}

/** `readdir`'s own recursion follows links. */
async function treeOf(root: string, below = ''): Promise<Tree> {
  const files: ImageFile[] = [];
  const folders: Record<string, number> = {};
  const links: Record<string, string> = {};
  for (const entry of await readdir(join(root, below), { withFileTypes: true })) {
    const path = `${below}/${entry.name}`;
    const from = join(root, path);
    const mode = (await lstat(from)).mode & 0o7777;
    if (entry.isSymbolicLink()) links[path] = await readlink(from);
    else if (entry.isFile()) files.push({ path, content: await readFile(from), mode });
    else if (entry.isDirectory()) {
      const inside = await treeOf(root, path);
      files.push(...inside.files);
      Object.assign(folders, { [path]: mode }, inside.folders);
      Object.assign(links, inside.links);
    }
  }
  return { files, folders, links };
}
