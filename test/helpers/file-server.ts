import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface FileServer {
  readonly url: string;
  /** The range that each request asked for; empty for all of it. */
  readonly asked: readonly string[];
}

/** A web server with one file; anything else is 404. */
export async function serveFile(
  path: string,
  content: Uint8Array,
  options: {
    /** Cut each of the first answers after so many bytes. */
    readonly breaks?: readonly number[];
    /** Always send all of it. */
    readonly noRanges?: boolean;
    /** Send on from here. */
    readonly redirectFrom?: string;
  } = {},
): Promise<FileServer> {
  const asked: string[] = [];
  const breaks = [...(options.breaks ?? [])];
  const server = createServer((request, response) => {
    if (request.url === options.redirectFrom) return void response.writeHead(302, { location: path }).end();
    if (request.url !== path) return void response.writeHead(404).end();
    const range = request.headers.range ?? '';
    asked.push(range);
    const from = options.noRanges === true ? 0 : Number(/^bytes=(\d+)-$/.exec(range)?.[1] ?? 0);
    const rest = content.subarray(from);
    response.writeHead(from > 0 ? 206 : 200, {
      'content-length': rest.length,
      ...(from > 0 && { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` }),
    });
    const cut = breaks.shift();
    if (cut === undefined) response.end(rest);
    else response.write(rest.subarray(0, cut), () => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}${options.redirectFrom ?? path}`, asked };
}
