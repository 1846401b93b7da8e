import type { Heartbeat } from '../../shared/protocol/channel.ts';

/** What kagent says about a node beside the kubelet's own conditions. */
export interface NodeCondition {
  readonly type: `kagent.sh/${'Connected' | 'ChildrenHealthy' | 'ClockSynced' | 'CertificatesValid' | 'PodNetworkReachable' | 'NameUndisputed'}`;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

/** Of a node whose network is probed. */
export const podNetworkType = 'kagent.sh/PodNetworkReachable';

/** Leases and certificates bear a second or two; what waits for time to pass does not bear much more. */
const clockToleranceMs = 2000;

/** What a node says of itself is written to its Node, which is kept and watched. */
const maxMessageChars = 4096;

/** A node that speaks. */
export function conditionsOf(
  heartbeat: Heartbeat,
  nowMs: number,
  podNetwork?: NodeCondition,
): readonly NodeCondition[] {
  return [
    {
      type: 'kagent.sh/Connected',
      status: 'True',
      reason: 'HeartbeatsArrive',
      message: 'logs and exec reach this node',
    },
    childrenHealthy(heartbeat),
    clockSynced(heartbeat),
    certificatesValid(heartbeat, nowMs),
    ...(podNetwork === undefined ? [] : [podNetwork]),
  ];
}

/** A node that has fallen silent: of the rest, and of what else is on its Node, nothing is known any more. */
export function conditionsOfSilence(message: string, types: readonly string[] = []): readonly NodeCondition[] {
  const unknown = { status: 'Unknown', reason: 'NotConnected', message } as const;
  return [
    { type: 'kagent.sh/Connected', status: 'False', reason: 'NoHeartbeats', message },
    { type: 'kagent.sh/ChildrenHealthy', ...unknown },
    { type: 'kagent.sh/ClockSynced', ...unknown },
    { type: 'kagent.sh/CertificatesValid', ...unknown },
    ...(types.includes(podNetworkType) ? [{ type: podNetworkType, ...unknown } as const] : []),
  ];
}

/** The components that are not as they should be, by name. */
export function componentsDown({ children, notReady }: Heartbeat): readonly string[] {
  return (notReady ?? children.filter(isDown)).map(({ name }) => name);
}

/** One that starts for the first time is on its way. */
export function isDown({ state, restarts }: Heartbeat['children'][number]): boolean {
  return state !== 'ready' && !(state === 'starting' && restarts === 0);
}

function childrenHealthy({ children, notReady }: Heartbeat): NodeCondition {
  const type = 'kagent.sh/ChildrenHealthy';
  const well = { type, status: 'True', reason: 'AllReady', message: 'every component runs' } as const;
  if (notReady !== undefined) {
    const parts = notReady.map(({ name, reason, message, since }) => {
      return `${name} is not ready since ${since} (${reason})${message === '' ? '' : `: ${message}`}`;
    });
    const message = parts.join('; ').slice(0, maxMessageChars);
    return parts.length === 0 ? well : { type, status: 'False', reason: 'ComponentNotReady', message };
  }
  const down = children.filter(isDown);
  if (down.length === 0) return well;
  const parts = down.map(
    ({ name, state, lastExit }) => `${name} is ${state}${lastExit === undefined ? '' : ` (${lastExit})`}`,
  );
  return { type, status: 'False', reason: 'ComponentDown', message: parts.join('; ').slice(0, maxMessageChars) };
}

function clockSynced({ clockSkewMs }: Heartbeat): NodeCondition {
  const type = 'kagent.sh/ClockSynced';
  if (clockSkewMs === undefined) return { type, status: 'Unknown', reason: 'NotMeasured', message: '' };
  if (Math.abs(clockSkewMs) <= clockToleranceMs) {
    return {
      type,
      status: 'True',
      reason: 'WithinTolerance',
      message: `within ${clockToleranceMs / 1000} s of the server`,
    };
  }
  const seconds = (Math.abs(clockSkewMs) / 1000).toFixed(0);
  const message = `${seconds} s ${clockSkewMs > 0 ? 'ahead of' : 'behind'} the server; run an NTP client on both`;
  return { type, status: 'False', reason: 'Skewed', message };
}

function certificatesValid({ certificates }: Heartbeat, nowMs: number): NodeCondition {
  const type = 'kagent.sh/CertificatesValid';
  const expired = certificates.filter(({ notAfter }) => Date.parse(notAfter) <= nowMs);
  if (expired.length > 0) {
    return {
      type,
      status: 'False',
      reason: 'Expired',
      message: `expired: ${expired.map(({ name }) => name).join(', ')}`.slice(0, maxMessageChars),
    };
  }
  return { type, status: 'True', reason: 'Valid', message: 'renewed in time by kagent' };
}
