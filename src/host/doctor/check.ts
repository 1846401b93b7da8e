import type { NetworkInterfaceInfo } from 'node:os';
import type { Condition } from '../../shared/component/component.ts';
import type { FlannelBackend, HostNeeds, HostRoot, KernelFiles, WantedAddress } from '../checks/checks.ts';
import type { RepairTools } from './repair-tools.ts';
import type { Tools } from './tools.ts';

/** fatal: a start would fail. warning: something will not work, or not well. note: worth knowing, nothing need be done. */
export type Severity = 'fatal' | 'warning' | 'note';

export const groups = [
  'Privileges',
  'Kernel',
  'Cgroups',
  'Limits',
  'Memory and processor',
  'Disk',
  'Network',
  'Firewall',
  'Clock',
  'Other software',
  'Components',
  'The server',
] as const;
export type Group = (typeof groups)[number];

/** What a check has seen. */
export interface Fault {
  readonly severity: Severity;
  /** With the value. */
  readonly what: string;
  /** If there is better advice than the check's own. */
  readonly fix?: string;
  /** Of the error that a start would end with. */
  readonly code?: string;
}

/** A check that could not be made, or had nothing to check. Nobody may read of it that all is well. */
export interface NotLooked {
  /** Why, in words that follow a colon. */
  readonly notLooked: string;
}

/** No fault at all: what was checked is fine. */
export type Looked = readonly Fault[] | NotLooked;

/** A fault as it is shown. */
export interface Finding extends Fault {
  readonly check: string;
  readonly why: string;
  readonly fix: string;
  /** Whether `--fix` does it. */
  readonly canFix: boolean;
}

export interface Check<Subject = ExaminedHost> {
  readonly name: string;
  readonly group: Group;
  /** What is true when all is well: `the clock is kept right`. */
  readonly title: string;
  readonly why: string;
  /** A command, or a sentence where only a person can. */
  readonly fix: string;
  /** A few small files: done before each start as well. */
  readonly isCheap?: boolean;
  /** Only on a box that runs pods. */
  readonly forNodes?: boolean;
  look(subject: Subject): Looked | Promise<Looked>;
  /** Does it. @returns what was done, in sentences */
  repair?(subject: Subject, repairTools: RepairTools): Promise<readonly string[]>;
}

/** The box that is looked at; in a test a folder that looks like one. */
export interface ExaminedHost {
  readonly root: HostRoot;
  readonly mode: 'server' | 'agent';
  readonly needs: HostNeeds;
  readonly flannelBackend: FlannelBackend;
  readonly kernel: KernelFiles;
  readonly clusterCidr: string;
  readonly serviceCidr: string;
  /** What was said about the node itself. */
  readonly node: WantedAddress & { readonly nodeName?: string | undefined };
  /** `--resolv-conf`: the box's own is then not used. */
  readonly resolvConf?: string | undefined;
  readonly hostname: string;
  readonly interfaces: Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;
  /** A kagent runs here now: its ports, links and settings are as they should be. */
  readonly isRunning: boolean;
  /** Of the kagent that runs here; none before its start is over. */
  readonly components: readonly { readonly name: string; readonly condition: Condition }[];
  readonly tools: Tools;
}

/** A fault with its words alone: most checks see at most one. */
export function warning(what: string, fix?: string): readonly Fault[] {
  return [{ severity: 'warning', what, ...(fix !== undefined && { fix }) }];
}

export function note(what: string, fix?: string): readonly Fault[] {
  return [{ severity: 'note', what, ...(fix !== undefined && { fix }) }];
}

export const fine: readonly Fault[] = [];

export function notLooked(because: string): NotLooked {
  return { notLooked: because };
}

/** @param file whose absence leaves nothing to be said */
export function unreadable(file: string): NotLooked {
  return notLooked(`${file} cannot be read`);
}
