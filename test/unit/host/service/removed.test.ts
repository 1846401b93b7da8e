import { expect, test } from 'vitest';
import { createServiceManager, hostAt, removeService } from '../../../../src/host/service/service.ts';
import type { ServiceHost } from '../../../../src/host/service/service.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

test('a service that failed, or was too slow to stop, is listed by systemd no more when it is removed', async () => {
  const asked: string[] = [];
  const host: ServiceHost = {
    ...hostAt(temporaryDir()),
    run: async (command, args) => {
      asked.push([command, ...args].join(' '));
      return { code: 0, output: '' };
    },
  };
  const readiness = async () => ({ ready: true, text: '', unknown: [] });
  const manager = createServiceManager('systemd', { host, readiness });
  await removeService({ name: 'kagent', executable: '/usr/local/bin/kagent', args: ['server'], manager }, host);
  expect(asked.slice(-2)).toEqual(['systemctl daemon-reload', 'systemctl reset-failed kagent.service']);
});
