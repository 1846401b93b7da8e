/**
 * The images that the tests run, under upstream's names: made here, of upstream's programs and of Debian's where upstream takes
 * Alpine's. What is in kagent's own images already, busybox and pause, gets a second name on the node.
 */
import { execFile } from 'node:child_process';
import { lstat, mkdir, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { defaultCacheDir, hashOf, hashOfFile, openCache } from '../../scripts/build/cache.ts';
import { mirror } from '../../scripts/build/debian.ts';
import { writeImage } from '../../scripts/build/oci.ts';
import type { Image, ImageFile } from '../../scripts/build/oci.ts';
import { kubernetesSources } from './programs.ts';
import type { ProgramName } from './programs.ts';

const suite = 'trixie';
/** What upstream's Dockerfile of agnhost takes from Alpine, by Debian's names. */
const tools = [
  'base-files',
  'bash',
  'bind9-dnsutils',
  'busybox-static',
  'curl',
  'iproute2',
  'netcat-openbsd',
  'socat',
  'util-linux',
];

export interface UpstreamImages {
  /** OCI archives. */
  readonly archives: readonly string[];
  /** kagent's image, without its tag → the name by which the tests ask for it. */
  readonly otherNames: Readonly<Record<string, string>>;
}

/** @param list what `e2e.test --list-images` says: which tags the tests ask for */
export async function upstreamImages(
  program: (name: ProgramName) => string,
  list: readonly string[],
): Promise<UpstreamImages> {
  const named = (image: string) => {
    const found = list.filter((line) => line.includes(`/${image}:`)).toSorted();
    const newest = found.at(-1);
    if (newest === undefined) throw new Error(`the tests know no image ${image}`);
    return newest;
  };
  const make = [
    { name: named('agnhost'), image: agnhostImage, programs: ['agnhost'] as const },
    { name: named('resource-consumer'), image: consumerImage, programs: ['consumer', 'consume-cpu'] as const },
  ];
  const cache = await openCache(defaultCacheDir);
  const ownHash = await hashOfFile(import.meta.filename);
  const archives: string[] = [];
  for (const { name, image, programs } of make) {
    const hashes = await Promise.all(programs.map((one) => hashOfFile(program(one))));
    const file = `${name.slice(name.lastIndexOf('/') + 1).replace(':', '-')}.tar`;
    const dir = await cache.entry({
      name: 'upstream-image',
      key: hashOf([name, hashes, ownHash]),
      build: async (folder) => writeImage(join(folder, file), await image(name, program, folder)),
    });
    archives.push(join(dir, file));
  }
  return {
    archives,
    otherNames: { 'kagent.sh/busybox': named('e2e-test-images/busybox'), 'kagent.sh/pause': named('pause') },
  };
}

type MakeImage = (name: string, program: (name: ProgramName) => string, folder: string) => Promise<Image>;

const agnhostImage: MakeImage = async (name, program, folder) => {
  const porter = join(await kubernetesSources(), 'test/images/agnhost/porter');
  const root = await debianTools(join(folder, 'root'));
  const text = (path: string, content: string): ImageFile => ({ path, content: Buffer.from(content), mode: 0o644 });
  return {
    name,
    arch: process.arch,
    files: [
      ...root.files,
      { path: '/agnhost', content: await readFile(program('agnhost')), mode: 0o755 },
      { path: '/localhost.crt', content: await readFile(join(porter, 'localhost.crt')), mode: 0o644 },
      { path: '/localhost.key', content: await readFile(join(porter, 'localhost.key')), mode: 0o644 },
      text('/etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nuser-defined-in-image:x:1000:1000::/:/bin/sh\n'),
      text(
        '/etc/group',
        'root:x:0:\nuser-defined-in-image:x:1000:\ngroup-defined-in-image:x:50000:user-defined-in-image\n',
      ),
    ],
    folders: { ...root.folders, '/uploads': 0o755 },
    links: { ...root.links, '/agnhost-2': 'agnhost' },
    entrypoint: ['/agnhost'],
    command: ['pause'],
  };
};

const consumerImage: MakeImage = async (name, program) => ({
  name,
  arch: process.arch,
  files: [
    { path: '/consumer', content: await readFile(program('consumer')), mode: 0o755 },
    { path: '/consume-cpu/consume-cpu', content: await readFile(program('consume-cpu')), mode: 0o755 },
  ],
  folders: { '/tmp': 0o1777 },
  entrypoint: ['/consumer'],
});

type Tree = Required<Pick<Image, 'files' | 'folders' | 'links'>>;

/** Unpacked, not installed: no package's script has run. The shell and what no package brings are BusyBox's. */
async function debianTools(root: string): Promise<Tree> {
  const run = promisify(execFile);
  await mkdir(root);
  const flags = ['--quiet', '--variant=extract', `--include=${tools.join(',')}`];
  const without = '--dpkgopt=path-exclude=/usr/share/{doc,man,locale,bash-completion}/*';
  await run('mmdebstrap', [...flags, without, suite, root, `deb ${await mirror()} ${suite} main`]);
  await rm(join(root, 'dev'), { recursive: true }); // the runtime makes its own
  const tree = await treeOf(root);
  const { stdout } = await run(join(root, 'usr/bin/busybox'), ['--list']);
  await rm(root, { recursive: true });
  const present = new Set([...tree.files.map(({ path }) => path), ...Object.keys(tree.links)]);
  const applets = stdout
    .split('\n')
    .filter((applet) => applet !== '' && !present.has(`/usr/bin/${applet}`) && !present.has(`/usr/sbin/${applet}`))
    .map((applet) => [`/usr/bin/${applet}`, 'busybox']);
  return { ...tree, links: { ...tree.links, ...Object.fromEntries(applets), '/usr/bin/nc': 'nc.openbsd' } };
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
