/**
 * Which npm packages, and which Node, are inside the executable.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { licenceTexts } from './modules.ts';
import type { Part } from './modules.ts';

interface LockedPackage {
  readonly version?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
}

/** What package-lock.json installs for use, without tools of development; and Node itself. */
export async function npmParts(root: string): Promise<Part[]> {
  const lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, LockedPackage>;
  };
  const used = Object.entries(lock.packages).filter(
    ([path, locked]) => path !== '' && locked.dev !== true && locked.optional !== true,
  );
  const ownNode = `node_modules/node-linux-${process.arch}`; // the same version and licence for every target
  const node = lock.packages[ownNode];
  const packages = await Promise.all(
    used.map(async ([path, locked]): Promise<Part> => {
      const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
      const version = locked.version ?? '';
      return {
        name,
        version,
        purl: `pkg:npm/${name.replace('@', '%40')}@${version}`,
        licence: locked.license ?? 'NOASSERTION',
        texts: await licenceTexts(join(root, path)),
      };
    }),
  );
  const nodeVersion = node?.version ?? process.version.slice(1);
  const texts = await licenceTexts(join(root, ownNode));
  return [
    ...packages,
    { name: 'node', version: nodeVersion, purl: `pkg:generic/node@${nodeVersion}`, licence: 'MIT', texts },
  ];
}
