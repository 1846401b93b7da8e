import { chmodSync, chownSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openAccounts } from '../../../../src/server/control-plane/accounts.ts';
import type { ExtraArgs } from '../../../../src/server/control-plane/control-plane.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const users = { apiserver: 2_109_345_001, controllerManager: 2_109_345_002, scheduler: 2_109_345_003 };

function host() {
  const dir = temporaryDir();
  chmodSync(dir, 0o755);
  const runDir = join(dir, 'run');
  const open = (args: Partial<ExtraArgs> = {}, securePort = 6443) => {
    const accounts = openAccounts({
      extraArgs: { apiserver: [], controllerManager: [], scheduler: [], ...args },
      securePort,
      runDir,
    });
    return {
      apiserver: accounts['kube-apiserver'],
      controllerManager: accounts['kube-controller-manager'],
      scheduler: accounts['kube-scheduler'],
    };
  };
  return { dir, runDir, open };
}

test('the parts of one process are one user, with one folder of what all of them are given', () => {
  const { runDir, open } = host();
  const { apiserver, controllerManager, scheduler } = open();
  expect(apiserver).toMatchObject({
    isShared: true,
    group: users.apiserver,
    folder: join(runDir, 'kube-control-plane'),
  });
  expect(controllerManager).toBe(apiserver);
  expect(scheduler).toBe(apiserver);
});

test('what an earlier version gave to each program is gone', () => {
  const { runDir, open } = host();
  mkdirSync(join(runDir, 'kube-scheduler'), { recursive: true });
  open();
  expect(existsSync(join(runDir, 'kube-scheduler'))).toBe(false);
});

test.each(['v=4', 'logging-format=json', '--feature-gates=A=true', 'log_flush_frequency=1s', 'profiling'])(
  'a program with %s is a process and a user of its own, and the others share one',
  (arg) => {
    const { apiserver, controllerManager, scheduler } = host().open({ scheduler: [arg] });
    expect(scheduler).toMatchObject({ isShared: false, group: users.scheduler });
    expect(controllerManager).toMatchObject({ isShared: true, group: users.apiserver });
    expect(apiserver).toBe(controllerManager);
  },
);

test('without kube-apiserver the others are another user than it is', () => {
  const { apiserver, controllerManager, scheduler } = host().open({ apiserver: ['v=4'] });
  expect(apiserver).toMatchObject({ isShared: false, group: users.apiserver });
  expect(controllerManager).toMatchObject({ isShared: true, group: users.controllerManager });
  expect(scheduler).toBe(controllerManager);
});

test('a program that has to be root is so alone', () => {
  const { dir, open } = host();
  writeFileSync(join(dir, 'secret'), '', { mode: 0o600 });
  const { apiserver, scheduler } = open({ scheduler: [`tls-sni-cert-key=${join(dir, 'secret')}`] });
  expect(scheduler).toMatchObject({ isShared: false, group: undefined });
  expect(apiserver).toMatchObject({ isShared: true, group: users.apiserver });
});

test('a file that was opened to a program’s own user keeps the program what it was', () => {
  const { dir, open } = host();
  const file = join(dir, 'opened');
  writeFileSync(file, '');
  chownSync(file, 0, users.scheduler);
  chmodSync(file, 0o640);
  const { scheduler } = open({ scheduler: [`config=${file}`] });
  expect(scheduler).toMatchObject({ isShared: false, group: users.scheduler });
});

test('two of which each is on its own are not a process of one', () => {
  const { scheduler } = host().open({ apiserver: ['v=4'], controllerManager: ['v=4'] });
  expect(scheduler).toMatchObject({ isShared: false, group: users.scheduler });
});
