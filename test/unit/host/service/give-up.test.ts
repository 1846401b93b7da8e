import { expect, test } from 'vitest';
import { giveUp } from '../../../../src/host/service/service.ts';
import type { ServiceHost } from '../../../../src/host/service/service.ts';
import { anyCommand, fakeHost } from '../../../helpers/service-host.ts';

/** A host on which this manager was booted; who is launched there tells this process to end. */
function bootedBy(marker: '/run/systemd/system' | '/run/openrc/softlevel') {
  const host = fakeHost(anyCommand, [marker, '']);
  const launch: ServiceHost['launch'] = (command, args) => {
    host.launch(command, args);
    setImmediate(() => {
      host.commands.push('signalled');
      process.emit('SIGTERM');
    });
  };
  return { host: { ...host, launch }, asked: host.commands };
}

const ofService = { KAGENT_SERVICE: 'kagent-agent' };

test('a removed node does not come back at the next boot, and that is said', async () => {
  const { host, asked } = bootedBy('/run/systemd/system');
  expect(await giveUp(3, ofService, host)).toContain('kagent-agent does not start at boot any more');
  expect(asked).toEqual(['--quiet disable kagent-agent.service'].map((args) => `systemctl ${args}`));
});

test('OpenRC, which starts again whatever ends, is told to stop, and this process ends when it was signalled', async () => {
  const { host, asked } = bootedBy('/run/openrc/softlevel');
  await giveUp(3, ofService, host);
  const stopped = ['launched: rc-service kagent-agent stop', 'signalled'];
  expect(asked).toEqual(['rc-update del kagent-agent default', ...stopped]);
});

test('after wrong usage the service stays down, and starts at the next boot as before', async () => {
  const { host, asked } = bootedBy('/run/openrc/softlevel');
  expect(await giveUp(2, ofService, host)).toBeUndefined();
  expect(asked).toEqual(['launched: rc-service kagent-agent stop', 'signalled']);
});

test.each([
  [0, ofService],
  [1, ofService], // may heal
  [3, {}], // a person's own command
])('an end with code %i and the environment %j changes nothing', async (code, env) => {
  const { host, asked } = bootedBy('/run/openrc/softlevel');
  expect(await giveUp(code, env, host)).toBeUndefined();
  expect(asked).toEqual([]);
});
