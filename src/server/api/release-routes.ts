import { Readable } from 'node:stream';
import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import type { Context } from 'hono';
import type { Release, ReleaseFile } from '../release/release.ts';
import { byteRange } from './byte-range.ts';
import { Downloads } from './downloads.ts';
import type { DownloadLimits } from './downloads.ts';
import { plainAddress } from './peer.ts';

type Bindings = { Bindings: HttpBindings };

/** What is no longer fits into a socket's buffer, and is no download. */
const smallBytes = 256 * 1024;

/**
 * For boxes that have not joined yet, and may not even have kagent: nothing here is secret.
 *
 *     /install.sh                                      knows this server and its CA
 *     /release/channels/stable                         the layout of a release, as scripts/release.sh makes it
 *     /release/v0.1.0/sha256sum-amd64.txt
 *     /release/v0.1.0/kagent-amd64  /release/v0.1.0/kagent-amd64.gz
 *     /v1/files  /v1/files/<sha256>                    the same files, and images, by content
 */
export function releaseRoutes(release: Release, limits: DownloadLimits): Hono<Bindings> {
  const app = new Hono<Bindings>();
  const downloads = new Downloads(limits);

  const send = async (context: Context<Bindings>, file: ReleaseFile | undefined): Promise<Response> => {
    if (file === undefined) return context.notFound();
    const range = byteRange(context.req.header('range'), file.sizeBytes);
    if (range === 'unsatisfiable') return context.body(null, 416, { 'content-range': `bytes */${file.sizeBytes}` });
    const { start, end } = range ?? { start: 0, end: file.sizeBytes - 1 };
    const { socket } = context.env.incoming;
    const address = plainAddress(socket.remoteAddress);
    const isDownload = context.req.method !== 'HEAD' && end - start >= smallBytes;
    // A joiner beyond them is told to come again.
    if (isDownload && !downloads.makeRoom(address))
      return context.text('too many downloads at once', 503, { 'retry-after': '5' });
    const stream = context.req.method === 'HEAD' ? undefined : file.read(start, end);
    // It ends also when the box goes away, which may come again for the rest.
    if (isDownload && stream !== undefined) downloads.begin(address, { stream, socket });
    return new Response(stream === undefined ? null : (Readable.toWeb(stream) as ReadableStream), {
      status: range === undefined ? 200 : 206,
      headers: {
        'content-type': 'application/octet-stream',
        'content-length': String(end - start + 1),
        'accept-ranges': 'bytes',
        etag: `"${file.sha256}"`,
        ...(range !== undefined && { 'content-range': `bytes ${start}-${end}/${file.sizeBytes}` }),
      },
    });
  };
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
