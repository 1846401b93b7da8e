import { closeSync, constants, openSync } from 'node:fs';
import { systemCode } from '../../../shared/errors.ts';
import { capSysResource, hasCapability, hostChecks } from '../../checks/checks.ts';
import { fine, note, unreadable, warning } from '../check.ts';
import type { Check } from '../check.ts';
import { faultsOf } from './from-host.ts';

export const privilegeChecks: readonly Check[] = [
  {
    name: 'root',
    group: 'Privileges',
    title: 'kagent runs as root',
    why: 'only root can make containers, their network and their limits',
    fix: 'run it with sudo',
    look: ({ needs }) => faultsOf(hostChecks.root.look(needs)),
  },
  {
    name: 'capabilities',
    group: 'Privileges',
    title: 'root has the capabilities that containers are made with',
    why: 'inside an unprivileged container, root may not mount, nor change the network',
    fix: 'run kagent on the host itself, or in a privileged container',
    forNodes: true,
    look: ({ needs, root }) =>
      root.read('/proc/self/status') === undefined
        ? unreadable('/proc/self/status')
        : faultsOf(hostChecks.capabilities.look(needs)),
  },
  {
    name: 'oom-score',
    group: 'Privileges',
    title: 'processes can be protected from the out-of-memory killer',
    why: 'kagent tells containerd to do without, but pods of high priority are then killed as soon as any other',
    fix: 'give this machine CAP_SYS_RESOURCE, if it is a container or a small virtual machine',
    forNodes: true,
    look({ root }) {
      const status = root.read('/proc/self/status');
      if (status === undefined) return unreadable('/proc/self/status');
      if (hasCapability(status, capSysResource)) return fine;
      return note('root has no CAP_SYS_RESOURCE here: nobody may lower a process’s oom_score_adj');
    },
  },
  {
    name: 'kernel-log',
    group: 'Privileges',
    title: 'the kernel’s log can be read',
    why: 'the kubelet reads /dev/kmsg to tell which container ran out of memory, and does not start without it',
    fix: 'in an LXC container, add "lxc.mount.entry = /dev/kmsg dev/kmsg none defaults,bind,create=file" to its configuration',
    isCheap: true,
    forNodes: true,
    look({ root }) {
      if (root.realPath('/dev/kmsg') === undefined) return warning('there is no /dev/kmsg');
      const refusal = refusalToOpen(root.path('/dev/kmsg'));
      return refusal === undefined ? fine : warning(`/dev/kmsg cannot be read (${refusal})`);
    },
  },
];

/** Opening it is what the kubelet does; a container's rules may forbid it to root, too. */
function refusalToOpen(path: string): string | undefined {
  try {
    closeSync(openSync(path, constants.O_RDONLY | constants.O_NONBLOCK));
    return undefined;
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    return code;
  }
}
