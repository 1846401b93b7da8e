import { hasStarted, isAllReady } from '../host/daemon/daemon.ts';
import type { DaemonStatus } from '../host/daemon/daemon.ts';
import { age, mebibytes, table } from './table.ts';

/** What `kagent status` prints for people. */
export function statusText(status: DaemonStatus, nowMs: number): string {
  const since = (time: string) => age(nowMs - Date.parse(time));
  const node = status.nodeName === undefined ? '' : `, node ${status.nodeName}`;
  const head = `kagent ${status.version} ${status.mode}${node}: ${stateOfAll(status)}, pid ${status.pid}, up ${since(status.since)}, data in ${status.dataDir}`;
  const rows = status.components.map((component) => [
    component.name,
    stateOf(component.condition),
    component.pid === undefined ? '-' : String(component.pid),
    component.pid === undefined && component.restarts === 0 ? '-' : String(component.restarts),
    since(sinceOf(component)),
    component.cpuSeconds === undefined ? '-' : `${component.cpuSeconds.toFixed(1)} s`,
    component.memoryBytes === undefined ? '-' : mebibytes(component.memoryBytes),
    component.condition.message,
  ]);
  const events = status.events.map((event) => [
    since(event.eventTime),
    event.type,
    event.reason,
    event.regarding,
    event.message,
  ]);
  return [
    head,
    ...status.notes,
    '',
    table([['COMPONENT', 'STATE', 'PID', 'RESTARTS', 'SINCE', 'CPU', 'MEMORY', 'LAST'], ...rows]),
    ...(events.length === 0 ? [] : ['', table([['AGE', 'TYPE', 'REASON', 'OBJECT', 'MESSAGE'], ...events])]),
    '',
  ].join('\n');
}

/** A node can be Ready, and what its Pods need be amiss. */
function stateOfAll(status: DaemonStatus): string {
  if (isAllReady(status)) return 'ready';
  if (!hasStarted(status)) return 'starting';
  const amiss = status.components.filter(({ condition }) => condition.status !== 'True').map(({ name }) => name);
  return amiss.length === 0 ? 'stopping' : `ready, except ${amiss.join(', ')}`;
}

/** Of a child that is ready its age; else for how long it, or what runs of it, has not been. */
function sinceOf({ since, condition: { status, lastTransitionTime } }: DaemonStatus['components'][number]): string {
  if (since === undefined) return lastTransitionTime;
  return status === 'True' || since > lastTransitionTime ? since : lastTransitionTime;
}

function stateOf(condition: DaemonStatus['components'][number]['condition']): string {
  return condition.status === 'Unknown' ? 'Waiting' : condition.reason;
}
