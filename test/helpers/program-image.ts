/** Images that hold one program alone, for suites whose manifests ask for images that no test can pull. */
import { readFile, rm } from 'node:fs/promises';
import { writeImage } from '../../scripts/build/oci.ts';
import type { Box } from './cluster.ts';

/** @param program static; the image's entry point is `/<name>`, for user 65532 */
export async function importProgramImage(box: Box, image: string, program: string, name: string): Promise<void> {
  const archive = '/tmp/image.tar';
  const files = [{ path: `/${name}`, content: await readFile(program), mode: 0o755 }];
  const folders = { '/tmp': 0o1777 };
  const entrypoint = [`/${name}`];
  const path = box.path(archive);
  await writeImage(path, { name: image, arch: process.arch, files, folders, entrypoint, user: '65532:65532' });
  await box.sh(`kagent ctr images import ${archive}`);
  await rm(path);
}
