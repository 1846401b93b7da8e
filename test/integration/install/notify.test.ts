import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { createLog, silentLog } from '../../../src/shared/log/log.ts';
import { createNotifier } from '../../../src/host/service/service.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

/** Plays systemd: receives on a datagram socket, which Node cannot, and prints each message as a line of JSON. */
const receiver = `
import json, socket, sys
name = sys.argv[1]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("\\0" + name[1:] if name.startswith("@") else name)
print(json.dumps("listening"), flush=True)
while True:
    print(json.dumps(s.recv(65536).decode()), flush=True)
`;

async function fakeSystemd(socket: string) {
  const python = spawn('python3', ['-c', receiver, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  const gone = once(python, 'exit');
  onTestFinished(async () => {
    python.kill('SIGKILL');
    await gone;
  });
  const lines = createInterface({ input: python.stdout })[Symbol.asyncIterator]();
  /** The next message with one of our assignments in it, as a map; systemd-notify sends others of its own. */
  const next = async (): Promise<Record<string, string>> => {
    for (;;) {
      const line = await lines.next();
      const text = JSON.parse(line.value ?? 'null') as string;
      const fields = Object.fromEntries(text.split('\n').map((entry) => entry.split(/=(.*)/s).slice(0, 2)));
      if (['READY', 'STATUS', 'STOPPING', 'EXTEND_TIMEOUT_USEC'].some((name) => name in fields)) return fields;
    }
  };
  await lines.next(); // listening
  return { next };
}

test.each([
  ['a socket with a path', () => join(temporaryDir(), 'notify')],
  ['an abstract socket', () => `@kagent-test-${process.pid}`],
])('systemd is told of status, readiness and the end over %s', async (_, socketName) => {
  const socket = socketName();
  const systemd = await fakeSystemd(socket);
  const notifier = createNotifier({ PATH: process.env['PATH'], NOTIFY_SOCKET: socket }, silentLog);
  notifier.status('waiting for\nkube-apiserver');
  expect(await systemd.next()).toMatchObject({ STATUS: 'waiting for kube-apiserver', MAINPID: String(process.pid) });
  notifier.extendTimeout(2500);
  expect(await systemd.next()).toMatchObject({ EXTEND_TIMEOUT_USEC: '2500000' });
  notifier.ready('the node is Ready');
  expect(await systemd.next()).toMatchObject({ READY: '1', STATUS: 'the node is Ready' });
  notifier.stopping();
  expect(await systemd.next()).toMatchObject({ STOPPING: '1' });
  await notifier.flush();
});

test('what systemd did not take is said again, with what came since: a lost READY would leave the unit starting for ever', async () => {
  const [dir, socket] = [temporaryDir(), join(temporaryDir(), 'notify')];
  const systemd = await fakeSystemd(socket);
  const failsTwice = `#!/bin/sh\n[ -e ${dir}/2 ] && PATH=/usr/bin:/bin exec systemd-notify "$@"\n[ ! -e ${dir}/1 ] || : >${dir}/2\n: >${dir}/1\nexit 1\n`;
  writeFileSync(join(dir, 'systemd-notify'), failsTwice, { mode: 0o755 });
  const notifier = createNotifier({ PATH: `${dir}:/usr/bin:/bin`, NOTIFY_SOCKET: socket }, silentLog);
  notifier.ready('the node is Ready');
  notifier.status('not all is well');
  expect(await systemd.next()).toMatchObject({ READY: '1', STATUS: 'not all is well' });
  await notifier.flush();
});

test('without systemd-notify it is said once, and the start continues', async () => {
  const lines: string[] = [];
  const log = createLog({ level: 'info', format: 'text', write: (line) => lines.push(line) });
  const notifier = createNotifier({ PATH: '/nowhere', NOTIFY_SOCKET: '@nobody' }, log);
  notifier.status('one');
  await notifier.flush();
  notifier.ready('two');
  await notifier.flush();
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain('the service manager could not be told');
});

test('where nobody listens nothing is sent', async () => {
  const notifier = createNotifier({}, silentLog);
  notifier.ready('the node is Ready');
  await expect(notifier.flush()).resolves.toBeUndefined();
});
