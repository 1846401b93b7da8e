import { conditionTracker } from '../../shared/component/component.ts';
import type { Component, ComponentName } from '../../shared/component/component.ts';
import { messageOf } from '../../shared/errors.ts';
import { addressAt } from '../../shared/ipv4/ipv4.ts';
import type { Log } from '../../shared/log/log.ts';
import { rounds } from '../../shared/rounds.ts';
import { hostRoot, isRouted, routesOf } from '../../host/checks/checks.ts';
import type { HostRoot, Route } from '../../host/checks/checks.ts';
import { run } from '../../host/run.ts';

const everyMs = 5000;
/** Marks the route as kagent's own, as `proto dhcp` marks others. */
const protocol = '107';

export interface ServiceRouteOptions {
  readonly after: readonly ComponentName[];
  readonly serviceCidr: () => string;
  readonly log: Log;
  readonly root?: HostRoot;
  readonly ip?: (...args: readonly string[]) => Promise<unknown>;
}

/**
 * Without a default route the kernel refuses to send to a Service's address before kube-proxy's rules are asked. A route
 * through loopback is enough: the rules change the packet's destination, and the kernel asks its table again. It is
 * there as long as nothing else leads to the range.
 */
export function serviceRoute(options: ServiceRouteOptions): Component {
  const { after, serviceCidr, log, root = hostRoot(), ip = (...args) => run('ip', args) } = options;
  const condition = conditionTracker();

  const check = async (): Promise<void> => {
    const cidr = serviceCidr();
    const change = neededChange(routesOf(root.read('/proc/net/route') ?? ''), cidr);
    try {
      if (change !== undefined) {
        await ip('-4', 'route', change, cidr, 'dev', 'lo', 'protocol', protocol);
        log.info(
          change === 'add'
            ? 'there is no default route: Services have one of their own'
            : 'there is a default route again',
          {
            cidr,
          },
        );
      }
      condition.set('True', 'Routed', '');
    } catch (error) {
      if (condition.current().status !== 'False') log.warn('the route to Services is not changed', { cidr, error });
      condition.set('False', 'RouteNotChanged', messageOf(error));
    }
  };
  const looks = rounds(everyMs, check);
  return {
    name: 'service-route',
    after,
    async start() {
      await check();
      looks.start();
    },
    stop: () => looks.stop(), // the route stays, as Services' rules do
    health: () => condition.current(),
  };
}

/** What `ip route` has to do. */
export function neededChange(routes: readonly Route[], serviceCidr: string): 'add' | 'delete' | undefined {
  const own = routes.filter(({ device, cidr }) => device === 'lo' && cidr === serviceCidr);
  const others = routes.filter((route) => !own.includes(route));
  const isReached = isRouted(addressAt(serviceCidr, 1), others);
  if (own.length === 0) return isReached ? undefined : 'add';
  return isReached ? 'delete' : undefined;
}

/** @returns whether there was one */
export async function removeServiceRoute(): Promise<boolean> {
  const routes = await run('ip', ['-4', 'route', 'show', 'protocol', protocol]);
  if (routes.trim() === '') return false;
  await run('ip', ['-4', 'route', 'flush', 'protocol', protocol]);
  return true;
}
