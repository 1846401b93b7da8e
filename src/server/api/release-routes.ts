import { Hono } from 'hono';
import type { Release, ReleaseFile } from '../release/release.ts';
import type { Bindings, SendFile } from './send-file.ts';

/**
 * For boxes that have not joined yet, and may not even have kagent: nothing here is secret.
 *
 *     /install.sh                                      knows this server and its CA
 *     /release/channels/stable                         the layout of a release, as scripts/release.sh makes it
 *     /release/v0.1.0/sha256sum-amd64.txt
 *     /release/v0.1.0/kagent-amd64  /release/v0.1.0/kagent-amd64.gz
 *     /v1/files  /v1/files/<sha256>                    the same files, and images, by content
 */
export function releaseRoutes(release: Release, sendFile: SendFile): Hono<Bindings> {
  const app = new Hono<Bindings>();
  const send = (context: Parameters<SendFile>[0], file: ReleaseFile | undefined) =>
    sendFile(
      context,
      file && {
        sizeBytes: file.sizeBytes,
        tag: file.sha256,
        contentType: 'application/octet-stream',
        read: (start, end) => file.read(start, end),
      },
    );
  const find = async (matches: (file: ReleaseFile) => boolean) => (await release.files()).find(matches);

  app.get('/install.sh', (context) =>
    context.body(release.installer(context.req.header('host') ?? ''), 200, { 'content-type': 'text/x-shellscript' }),
  );
  app.get('/release/channels/:channel', (context) => context.text(`${release.version}\n`));
  app.get('/release/:version/:name', async (context) => {
    const { version, name } = context.req.param();
    if (version !== release.version) return context.notFound();
    const [, of] = /^kagent-(\w+)\.gz$/.exec(name) ?? [];
    if (of !== undefined) return await send(context, await release.compressed(of));
    const [, arch] = /^sha256sum-(\w+)\.txt$/.exec(name) ?? [];
    if (arch === undefined) return await send(context, await find((file) => file.name === name));
    const files = (await release.files()).filter((file) => file.name.endsWith(`-${arch}`));
    if (files.length === 0) return context.notFound();
    const compressed = await release.compressed(arch);
    const listed = compressed === undefined ? files : [...files, compressed];
    return context.text(listed.map((file) => `${file.sha256}  ${file.name}\n`).join(''));
  });
  app.get('/v1/files', async (context) =>
    context.json({
      version: release.version,
      files: (await release.files()).map(({ name, sha256, sizeBytes }) => ({ name, sha256, sizeBytes })),
    }),
  );
  app.get('/v1/files/:sha256', async (context) =>
    send(context, await find((file) => file.sha256 === context.req.param('sha256'))),
  );
  return app;
}
