import { runToEnd } from '../run.ts';
import type { Ended, RunOptions } from '../run.ts';
import { launchedWith } from './privileges.ts';
import type { SecurityContext } from './types.ts';

/** A command that ends by itself, with no more rights than these; the kernel kills it when kagent dies. Never rejects. */
export async function runAs(
  securityContext: SecurityContext,
  [command, ...args]: readonly [string, ...(readonly string[])],
  options: RunOptions,
): Promise<Ended> {
  const [first, ...rest] = [...launchedWith(securityContext), command, ...args];
  return await runToEnd(first ?? command, rest, options);
}
