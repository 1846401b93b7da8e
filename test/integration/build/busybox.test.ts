/** The programs of the image `kagent.sh/busybox:1`, as they are fetched for it. */
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { busyboxProducer, readApplets } from '../../../scripts/build/busybox.ts';
import { defaultCacheDir, openCache } from '../../../scripts/build/cache.ts';
import { targetOf } from '../../../scripts/build/target.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

let folder: string;
let busybox: string;
beforeAll(async () => {
  folder = await (await openCache(defaultCacheDir)).entry(busyboxProducer(targetOf(process.arch)));
  busybox = join(folder, 'busybox');
}, 120_000);

/** Of a crash; what an applet ends with by itself is its own affair. */
const crashes = ['SIGSEGV', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGABRT'];

/** A shell's text, in a folder of its own; each word of it is busybox's. @returns what it wrote */
function sh(script: string): string {
  const dir = temporaryDir();
  const { stdout, stderr } = spawnSync(busybox, ['sh', '-c', script], {
    cwd: dir,
    encoding: 'utf8',
    env: { PATH: '', HOME: dir },
    timeout: 10_000,
  });
  return `${stdout}${stderr}`.trim();
}

/** Listens on loopback until the test ends. */
async function listening(server: ReturnType<typeof createServer>): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

test('wget -T fetches a page, and gives up on a server that says nothing', async () => {
  const run = promisify(execFile);
  const port = await listening(createHttpServer((_, reply) => reply.end('hello')));
  const { stdout } = await run(busybox, ['wget', '-T', '5', '-q', '-O', '-', `http://127.0.0.1:${port}/`]);
  expect(stdout).toBe('hello');
  const silent = await listening(createServer((socket) => onTestFinished(() => void socket.destroy())));
  const asked = run(busybox, ['wget', '-T', '1', '-q', '-O', '-', `http://127.0.0.1:${silent}/`]);
  await expect(asked).rejects.toMatchObject({ code: 1, signal: null, stderr: 'wget: download timed out\n' });
});

test.each([
  ['echo b a | tr " " "\\n" | sort | xargs', 'a b'],
  ['printf "a 1\\nb 2\\n" | awk "{ sum += \\$2 } END { print sum }"', '3'],
  ['echo kagent | sed -E "s/(k)a/\\1A/"', 'kAgent'],
  ['printf "x\\ny\\n" | grep -c .', '2'],
  ['seq 1 10 | head -n 3 | tail -n 1', '3'],
  ['mkdir -p a/b; touch a/b/c; find . -type f -name c', './a/b/c'],
  ['echo text >f; tar cf - f | tar tf -', 'f'],
  ['echo text | gzip | gunzip', 'text'],
  ['echo -n kagent | base64', 'a2FnZW50'],
  ['echo -n kagent | sha256sum', createHash('sha256').update('kagent').digest('hex')],
  ['date -u -d @0 +%Y-%m-%d', '1970-01-01'],
  ['timeout 1 sleep 5; echo $?', '143'],
  ['dd if=/dev/zero bs=10 count=3 2>/dev/null | wc -c', '30'],
  ['ln -s there here; readlink here', 'there'],
  ['umask 077; touch f; stat -c %a f', '600'],
  ['echo "a=1" >f; . ./f; echo $((a + 1))', '2'],
  ['env -i A=b env', 'A=b'],
  ['id -u', String(process.getuid?.())],
  ['nc -w 1 127.0.0.1 1; echo $?', "nc: can't connect to remote host (127.0.0.1): Connection refused"],
  ['ip link show lo | head -n 1 | cut -d : -f 2', 'lo'],
  ['ps | head -n 1', 'PID'],
  ['diff /dev/null /dev/null; echo $?', '0'],
])('%s', (script, wrote) => {
  expect(sh(script)).toContain(wrote);
});

test('no applet crashes when it is asked for help', async () => {
  const crashed = (await readApplets(folder)).filter((path) => {
    const { signal } = spawnSync(busybox, [basename(path), '--help'], { timeout: 10_000 });
    return crashes.includes(signal ?? '');
  });
  expect(crashed).toEqual([]);
});

const words = (text: string) => text.trim().split(/\s+/);

/** An option that is known but was not built in is what crashed. Those below change nothing but their folder, and their host's name. */
const harmless = words(`
  awk base64 basename bzip2 cat chmod cmp cp cpio cut date dd df diff dirname du echo env expr find fold
  free grep groups gzip head hexdump hostname id ifconfig ip less ln ls md5sum mkdir mktemp more mv nc netstat nslookup od paste
  ping pidof pgrep printenv printf ps pwd readlink realpath rm rmdir route sed seq sha256sum sh sleep sort split stat strings
  stty sum tail tar tee test timeout touch tr tree true tsort tty uname uniq unzip uptime usleep vi wc wget which whoami xargs xxd
`);
/** One shell for all: thousands of children of Node's own would take a minute. */
const everyLetter = `
for applet in "$@"; do
  for letter in a b c d e f g h i j k l m n o p q r s t u v w x y z A B C D E F G H I J K L M N O P Q R S T U V W X Y Z; do
    ( timeout -s KILL 0.3 "$BUSYBOX" $applet -$letter 1 f </dev/null >/dev/null 2>&1
      case $? in 132|134|135|136|139) echo "$applet -$letter ended with $?" ;; esac ) &
  done
  wait
done 2>/dev/null`;

test('no common applet crashes at any letter as an option', () => {
  const known = (path: string) => harmless.includes(basename(path));
  const applets = readFileSync(join(folder, 'applets'), 'utf8').trim().split('\n').filter(known);
  expect(applets.length).toBeGreaterThan(80);
  const dir = temporaryDir();
  writeFileSync(join(dir, 'f'), 'text\n');
  const options = { cwd: dir, encoding: 'utf8', env: { ...process.env, BUSYBOX: busybox } } as const;
  const names = applets.map((path) => basename(path));
  // With most letters `hostname` takes the 1 for a name, and the machine must not get it.
  const apart = ['--user', '--map-root-user', '--uts', 'sh', '-c', everyLetter, 'sh', ...names];
  const before = hostname();
  expect(spawnSync('unshare', apart, options)).toMatchObject({ status: 0, stdout: '' });
  expect(hostname()).toBe(before);
});

test('the version that the licences and the list of parts name is the one that runs', () => {
  expect(readFileSync(join(folder, 'version'), 'utf8')).toMatch(/^1:1\.37\.0-/);
});
