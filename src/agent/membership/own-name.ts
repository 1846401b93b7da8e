/** What decides about this node's name: what was said, what it was until now, and what the host is called. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { readFileIfExists, writeFileIfChanged } from '../../shared/files/files.ts';
import type { Paths } from '../../shared/paths.ts';
import { nodeName } from '../../host/checks/checks.ts';
import { joinedName } from './identity.ts';

export interface NameOptions {
  /** `--node-name`. */
  readonly nodeName?: string | undefined;
  readonly withNodeId: boolean;
}

/**
 * As it was told; else the name by which this box has joined, whatever the host is called by now: DHCP servers and
 * people rename hosts, and a node's pods, volumes and labels go by its name. @returns undefined: the host's own
 */
export function wantedName({ nodeName: told, withNodeId }: NameOptions, paths: Paths): string | undefined {
  const id = withNodeId ? nodeIdOf(paths) : undefined;
  const joined = told === undefined ? joinedName(paths) : undefined;
  if (joined !== undefined && (!withNodeId || joined.endsWith(`-${id}`))) return joined;
  return id === undefined ? told : `${nodeName(told)}-${id}`;
}

/** Made on the first start, it stays with the box: names of boxes that are all called alike differ by it. */
export function keepNodeId(paths: Paths): void {
  writeFileIfChanged(paths.agent.nodeId, `${nodeIdOf(paths) ?? randomBytes(4).toString('hex')}\n`, 0o644);
}

function nodeIdOf(paths: Paths): string | undefined {
  return readFileIfExists(paths.agent.nodeId)?.trim();
}

/** A notice where the host's name differs from its node's without `--node-name`. */
export function nameNotes(name: string, { nodeName, withNodeId }: NameOptions, host = hostname().toLowerCase()) {
  if (nodeName !== undefined || withNodeId || host === name) return [];
  return [
    `This host is called ${host} now and stays the node ${name}, as it has joined: --node-name ${host} makes it another node.`,
  ];
}
