/** Reads a file from a pod's web server by way of the tunnel and prints MB/s: `node read.ts ADDRESS PATH`, on a server's box. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { runPaths } from '../../src/shared/paths.ts';

const [, , address = '', path = ''] = process.argv;
const socket = connect(runPaths.egressSocket);
socket.write(`CONNECT ${address}:80 HTTP/1.1\r\nHost: ${address}\r\n\r\n`);
const [head] = (await once(socket, 'data')) as [Buffer];
if (!head.toString('latin1').startsWith('HTTP/1.1 200')) throw new Error(head.toString('latin1'));
const beganMs = performance.now();
let bytes = 0;
socket.on('data', (chunk: Buffer) => (bytes += chunk.length));
socket.write(`GET ${path} HTTP/1.0\r\n\r\n`);
await once(socket, 'close');
process.stdout.write(String(bytes / 1000 / (performance.now() - beganMs)));
