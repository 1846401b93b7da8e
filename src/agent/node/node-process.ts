import type { Log } from '../../shared/log/log.ts';
import { nodeProcess } from '../../host/process/process.ts';
import type { ProcessSpec } from '../../host/process/process.ts';

/** Which process a program of this node runs in. */
export interface ProcessOf {
  /** The program's own name where it runs alone. */
  readonly name: string;
  readonly spec: Pick<ProcessSpec, 'partOf'>;
}

/** @param own the operator's setting for which it has to be a process of its own, if there is one */
export function processOf(component: string, own: string | undefined, log: Log): ProcessOf {
  if (own === undefined) return { name: nodeProcess.name, spec: { partOf: { process: nodeProcess, after: [] } } };
  log.info('a component is a process of its own', { component, because: own });
  return { name: component, spec: {} };
}
