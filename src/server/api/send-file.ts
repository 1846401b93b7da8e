import { Readable } from 'node:stream';
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { ReleaseStream } from '../release/release.ts';
import { byteRange } from './byte-range.ts';
import { Downloads } from './downloads.ts';
import type { DownloadLimits } from './downloads.ts';
import { plainAddress } from './peer.ts';

export type Bindings = { Bindings: HttpBindings };

export interface SentFile {
  readonly sizeBytes: number;
  /** Another one for other content. */
  readonly tag: string;
  readonly contentType: string;
  /** Both ends are included. */
  read(start: number, end: number): ReleaseStream;
}

/** Answers with the file, or the range of it that is asked for; with 404 where there is none. */
export type SendFile = (context: Context<Bindings>, file: SentFile | undefined) => Promise<Response>;

/** What is no longer fits into a socket's buffer, and is no download. */
const smallBytes = 256 * 1024;

/** Of files for whoever reaches this server: there are only so many downloads at once, and each is read as it is sent. */
export function fileSender(limits: DownloadLimits): SendFile {
  const downloads = new Downloads(limits);
  return async (context, file) => {
    if (file === undefined) return await context.notFound();
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
        'content-type': file.contentType,
        'content-length': String(end - start + 1),
        'accept-ranges': 'bytes',
        etag: `"${file.tag}"`,
        'x-content-type-options': 'nosniff',
        ...(range !== undefined && { 'content-range': `bytes ${start}-${end}/${file.sizeBytes}` }),
      },
    });
  };
}
