import { conditionTracker } from '../../shared/component/component.ts';
import type { Component, ComponentName } from '../../shared/component/component.ts';
import { messageOf, remedyOf } from '../../shared/errors.ts';
import type { Log } from '../../shared/log/log.ts';
import { rounds } from '../../shared/rounds.ts';
import type { NodeAddress } from '../../host/checks/checks.ts';

const everyMs = 5000;

/**
 * Looks now and then whether this box has another address, as after a new DHCP lease, and tells of it when it was so
 * twice in a row. An address that is merely gone is not told: the cable may come back.
 */
export function addressWatch(options: {
  readonly after: readonly ComponentName[];
  readonly present: NodeAddress;
  readonly look: () => Promise<NodeAddress>;
  readonly onChange: (address: NodeAddress) => Promise<void>;
  readonly log: Log;
}): Component {
  const { after, look, onChange, log } = options;
  const condition = conditionTracker();
  let { present } = options;
  let seen = present;

  const check = async (): Promise<void> => {
    const now = await look().catch(() => present);
    const isSteady = isSame(now, seen);
    seen = now;
    if (!isSteady || isSame(now, present)) return;
    log.warn('this box has another address', { before: present.nodeIp, now: now.nodeIp });
    try {
      await onChange(now);
      present = now;
      condition.set('True', 'Announced', '');
    } catch (error) {
      condition.set('False', 'NotAnnounced', messageOf(error), remedyOf(error));
      log.warn('the new address is not announced yet', { address: now.nodeIp, error });
    }
  };

  const looks = rounds(everyMs, check);
  return {
    name: 'address-watch',
    after,
    async start() {
      condition.set('True', 'Watching', '');
      looks.start();
    },
    stop: () => looks.stop(),
    health: () => condition.current(),
  };
}

function isSame(a: NodeAddress, b: NodeAddress): boolean {
  return a.nodeIp === b.nodeIp && a.defaultInterface === b.defaultInterface && a.flannelIp === b.flannelIp;
}
