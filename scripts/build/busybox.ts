/**
 * BusyBox, out of Debian 13, whatever this machine's own Debian is: the static one of Debian 12 is built without timeouts for
 * wget and crashes at `wget -T`. It needs nothing else of that Debian.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hashOf } from './cache.ts';
import { unpackFromSuite } from './debian.ts';
import type { Part } from './modules.ts';
import type { Producer } from './plan.ts';
import { run } from './run.ts';
import { targetOf } from './target.ts';
import type { Target } from './target.ts';

const debianPackage = 'busybox-static';
const suite = 'trixie';
export const busyboxVersion = '1.37.0';
export const busyboxLicence = 'GPL-2.0-only';

/** Its folder has `busybox`, the paths of its applets in `applets`, `copyright`, and the package's own version in `version`. */
export function busyboxProducer(target: Target): Producer {
  return {
    name: 'busybox',
    key: hashOf([debianPackage, suite, busyboxVersion, target.arch]),
    estimateMs: 10_000,
    tools: ['debianPackages'],
    async build(dir) {
      // Only this machine's own can be asked what it has in it: the same source, built with the same configuration.
      const askable = target.isForeign ? targetOf(process.arch) : target;
      await unpackFromSuite(debianPackage, suite, askable, dir);
      const said = await run(join(dir, programFile), ['--help']);
      if (!said.startsWith(`BusyBox v${busyboxVersion} `))
        throw new Error(`${debianPackage} of Debian ${suite} is not BusyBox ${busyboxVersion}: ${said.split('\n')[0]}`);
      await writeFile(join(dir, 'applets'), await run(join(dir, programFile), ['--list-full']));
      await run('rm', ['-r', 'package'], { cwd: dir });
      await writeFile(join(dir, 'version'), await unpackFromSuite(debianPackage, suite, target, dir));
      await run('mv', [programFile, `package/usr/share/doc/${debianPackage}/copyright`, '.'], { cwd: dir });
      await run('rm', ['-r', 'package'], { cwd: dir });
    },
  };
}

const programFile = 'package/usr/bin/busybox';

/** `bin/sh`, `usr/bin/wget`, … @param dir the producer's */
export async function readApplets(dir: string): Promise<string[]> {
  return (await readFile(join(dir, 'applets'), 'utf8')).trim().split('\n').toSorted();
}

/** @param dir the producer's */
export async function busyboxPart(dir: string): Promise<Part> {
  const read = async (name: string) => (await readFile(join(dir, name), 'utf8')).trim();
  const version = await read('version');
  const purl = `pkg:deb/debian/${debianPackage}@${version}`;
  return { name: debianPackage, version, purl, licence: busyboxLicence, texts: [await read('copyright')] };
}
