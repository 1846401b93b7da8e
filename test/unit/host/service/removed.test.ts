import { expect, test } from 'vitest';
import { createServiceManager, removeService } from '../../../../src/host/service/service.ts';
import { anyCommand, fakeHost } from '../../../helpers/service-host.ts';

test('a service that failed, or was too slow to stop, is listed by systemd no more when it is removed', async () => {
  const host = fakeHost(anyCommand);
  const readiness = async () => ({ ready: true, text: '', unknown: [] });
  const manager = createServiceManager('systemd', { host, readiness });
  await removeService({ name: 'kagent', executable: '/usr/local/bin/kagent', args: ['server'], manager }, host);
  expect(host.commands.slice(-2)).toEqual(['systemctl daemon-reload', 'systemctl reset-failed kagent.service']);
});
