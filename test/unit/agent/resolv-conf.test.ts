import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { findResolvConf, hostRoot } from '../../../src/host/checks/checks.ts';
import { followResolvConf } from '../../../src/agent/resolv-conf.ts';
import { silentLog } from '../../../src/shared/log/log.ts';
import { createEventLog } from '../../../src/shared/events/events.ts';
import { temporaryDir } from '../../helpers/temporary.ts';
import { fakeRoot } from '../host/checks/fake-root.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A host whose resolv.conf changes while it is followed. */
function host(text: string, options: { readonly answers?: readonly boolean[]; readonly isOwn?: boolean } = {}) {
  const root = fakeRoot({ '/etc/resolv.conf': text });
  const path = options.isOwn === true ? root.path('/etc/resolv.conf') : join(temporaryDir(), 'etc/resolv.conf');
  const asked: number[] = [];
  const answers = [...(options.answers ?? [])];
  const events = createEventLog({ keep: 10 });
  const follower = () =>
    followResolvConf({
      after: [],
      path,
      look: options.isOwn === true ? undefined : () => findResolvConf(hostRoot(root.dir)),
      async endDnsPods(startedBeforeMs) {
        asked.push(startedBeforeMs);
        return answers.shift() ?? true;
      },
      events,
      log: silentLog,
    });
  return {
    path,
    asked,
    events,
    follower,
    change: (now: string) => writeFileSync(root.path('/etc/resolv.conf'), now),
    pods: () => readFileSync(path, 'utf8'),
  };
}

const looks = (count: number) => vi.advanceTimersByTimeAsync(5000 * count + 100);
const signal = new AbortController().signal;

test('a resolv.conf that is empty at boot and filled later is what pods have then, and DNS Pods that are older end', async () => {
  const box = host('');
  const follower = box.follower();
  await follower.start(signal);
  expect(box.pods()).toBe('nameserver 8.8.8.8\n');
  expect(follower.health()).toMatchObject({
    reason: 'PublicNameServer',
    message: expect.stringMatching(/^no resolv.conf of this host names a server; .*--resolv-conf FILE$/),
  });
  await looks(1);
  expect(box.asked).toEqual([]); // nobody is older
  box.change('nameserver 192.0.2.53\n');
  await looks(1);
  expect(box.pods()).toBe('nameserver 8.8.8.8\n'); // it may be half written
  await looks(1);
  expect(box.pods()).toBe('nameserver 192.0.2.53\n');
  expect(box.asked).toEqual([statSync(box.path).mtimeMs]);
  expect(follower.health()).toMatchObject({ status: 'True', reason: 'Following', message: '' });
  expect(box.events.recent(9)).toMatchObject([{ reason: 'NameServersChanged', message: /192\.0\.2\.53/ }]);
  await looks(3);
  expect(box.asked).toHaveLength(1);
  await follower.stop();
});

test('what changed while kagent was away is written before the kubelet starts; DNS Pods end when kube-apiserver is there', async () => {
  const box = host('nameserver 192.0.2.1\n', { answers: [false, false, true] });
  const first = box.follower();
  await first.start(signal);
  await looks(1);
  await first.stop();
  box.change('nameserver 192.0.2.2\n');
  const second = box.follower();
  await second.start(signal);
  expect(box.pods()).toBe('nameserver 192.0.2.2\n');
  await looks(5);
  const changed = statSync(box.path).mtimeMs;
  expect(box.asked).toEqual([changed, changed, changed]);
  await second.stop();
});

test('a file of somebody’s own is left as it is, and followed all the same', async () => {
  const box = host('nameserver ::1 # mine\n', { isOwn: true });
  const follower = box.follower();
  await follower.start(signal);
  await looks(1);
  box.change('nameserver 192.0.2.3\n');
  await looks(2);
  expect(box.pods()).toBe('nameserver 192.0.2.3\n');
  expect(box.asked.at(-1)).toBe(statSync(box.path).mtimeMs);
  expect(box.asked).toHaveLength(2);
  await follower.stop();
});
