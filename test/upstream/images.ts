/**
 * The images that the tests run, under upstream's names: made here, of upstream's programs and of Debian's where upstream takes
 * Alpine's. What is in kagent's own images already, busybox and pause, gets a second name on the node.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { defaultCacheDir, hashOf, hashOfFile, openCache } from '../../scripts/build/cache.ts';
import { writeImage } from '../../scripts/build/oci.ts';
import type { Image, ImageFile } from '../../scripts/build/oci.ts';
import { debianTools } from './debian-tools.ts';
import type { Tree } from './debian-tools.ts';
import { kubernetesSources } from './programs.ts';
import type { ProgramName } from './programs.ts';

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
  const allNamed = (image: string) => list.filter((line) => line.includes(`/${image}:`)).toSorted();
  const named = (image: string) => {
    const newest = allNamed(image).at(-1);
    if (newest === undefined) throw new Error(`the tests know no image ${image}`);
    return newest;
  };
  const make = [
    { name: named('agnhost'), image: agnhostImage, programs: ['agnhost'] as const },
    { name: named('resource-consumer'), image: consumerImage, programs: ['consumer', 'consume-cpu'] as const },
    { name: named('glibc-dns-testing'), image: debianImage, programs: [] as const },
    ...allNamed('nginx').map((name) => ({ name, image: nginxImage, programs: [] as const })),
  ];
  const cache = await openCache(defaultCacheDir);
  const tools = await debianTools(cache);
  const recipe = [
    await hashOfFile(import.meta.filename),
    hashOf([...tools.files.map(({ path }) => path), tools.links]),
  ];
  const archives: string[] = [];
  for (const { name, image, programs } of make) {
    const hashes = await Promise.all(programs.map((one) => hashOfFile(program(one))));
    const file = `${name.slice(name.lastIndexOf('/') + 1).replace(':', '-')}.tar`;
    const dir = await cache.entry({
      name: 'upstream-image',
      key: hashOf([name, hashes, recipe]),
      build: async (folder) => writeImage(join(folder, file), await image({ name, program, tools })),
    });
    archives.push(join(dir, file));
  }
  return {
    archives,
    otherNames: { 'kagent.sh/busybox': named('e2e-test-images/busybox'), 'kagent.sh/pause': named('pause') },
  };
}

interface Ingredients {
  readonly name: string;
  readonly program: (name: ProgramName) => string;
  readonly tools: Tree;
}

type MakeImage = (ingredients: Ingredients) => Promise<Image>;

const agnhostImage: MakeImage = async ({ name, program, tools }) => {
  const porter = join(await kubernetesSources(), 'test/images/agnhost/porter');
  const text = (path: string, content: string): ImageFile => ({ path, content: Buffer.from(content), mode: 0o644 });
  return {
    name,
    arch: process.arch,
    files: [
      ...tools.files,
      { path: '/agnhost', content: await readFile(program('agnhost')), mode: 0o755 },
      { path: '/localhost.crt', content: await readFile(join(porter, 'localhost.crt')), mode: 0o644 },
      { path: '/localhost.key', content: await readFile(join(porter, 'localhost.key')), mode: 0o644 },
      text('/etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nuser-defined-in-image:x:1000:1000::/:/bin/sh\n'),
      text(
        '/etc/group',
        'root:x:0:\nuser-defined-in-image:x:1000:\ngroup-defined-in-image:x:50000:user-defined-in-image\n',
      ),
    ],
    folders: { ...tools.folders, '/uploads': 0o755 },
    links: { ...tools.links, '/agnhost-2': 'agnhost' },
    entrypoint: ['/agnhost'],
    command: ['pause'],
  };
};

/** Upstream's is Debian too. */
const debianImage: MakeImage = ({ name, tools }) =>
  Promise.resolve({ name, arch: process.arch, ...tools, command: ['sh'] });

const consumerImage: MakeImage = async ({ name, program }) => ({
  name,
  arch: process.arch,
  files: [
    { path: '/consumer', content: await readFile(program('consumer')), mode: 0o755 },
    { path: '/consume-cpu/consume-cpu', content: await readFile(program('consume-cpu')), mode: 0o755 },
  ],
  folders: { '/tmp': 0o1777 },
  entrypoint: ['/consumer'],
});

/** For StatefulSets, which ask for one page: nothing that the tests look at is nginx's own. */
const nginxImage: MakeImage = ({ name, tools: { files, links } }) =>
  Promise.resolve({
    name,
    arch: process.arch,
    files: [
      ...files.filter(({ path }) => path === '/usr/bin/busybox'),
      { path: '/usr/share/nginx/html/index.html', content: Buffer.from('<h1>Welcome to nginx!</h1>\n'), mode: 0o644 },
    ],
    folders: { '/tmp': 0o1777 },
    links: Object.fromEntries([
      ...Object.entries(links).filter(([, to]) => to === 'busybox'),
      ['/usr/bin/sh', 'busybox'],
      ['/bin', 'usr/bin'],
    ]),
    entrypoint: ['/usr/bin/busybox', 'httpd', '-f', '-p', '80', '-h', '/usr/share/nginx/html'],
  });
