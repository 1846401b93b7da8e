import { existsSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { messageOf, systemCode } from '../../shared/errors.ts';
import { readFileIfExists } from '../../shared/files/files.ts';
import { runPaths } from '../../shared/paths.ts';
import { bridgeName, ipamDir } from './cni.ts';
import { bandwidthLinks, removeResults } from './cni-results.ts';
import { idleChains, loopbackGuard, withoutOurRules } from './rules.ts';
import { policiesProgram, policyTables, removePolicyRules } from './network-policies.ts';
import { removeServiceRoute } from './service-route.ts';
import type { NetworkRemoval } from '../../host/remove/remove.ts';
import { run } from '../../host/run.ts';

/** What `removeNetwork` took away, and what it could not. */
export interface Removal {
  readonly removed: readonly string[];
  /** Each with its reason, for a person. */
  readonly left: readonly string[];
}

const ourLinks = [bridgeName, 'flannel.1', 'flannel-v6.1', 'flannel-wg', 'flannel-wg-v6'];

/**
 * Links, packet rules and address records of pods and Services. Call it when no pod is left, and when the kernel's settings
 * that rely on the rules are put back. Safe to repeat.
 */
export async function removeNetwork({ keepLoopbackGuard = false, binDir }: NetworkRemoval = {}): Promise<Removal> {
  const removed: string[] = [];
  const left: string[] = [];
  const attempt = async (what: string, work: () => Promise<boolean>) => {
    try {
      if (await work()) removed.push(what);
    } catch (error) {
      left.push(`${what} stays: ${messageOf(error)}`);
    }
  };
  for (const link of [...bridgePorts(), ...[...ourLinks, ...bandwidthLinks()].filter(isLink)]) {
    await attempt(`link ${link}`, () => deleteLink(link));
  }
  for (const route of await hostGatewayRoutes()) await attempt(`route ${route}`, () => deleteRoute(route));
  await attempt('route to Services', removeServiceRoute);
  for (const command of firewallCommands())
    await attempt(`rules of ${command}`, () => removeRules(command, keepLoopbackGuard ? [loopbackGuard] : []));
  await attempt('rules of network policies', () => removePolicies(binDir));
  for (const table of ['ip kube-proxy', 'ip6 kube-proxy', ...policyTables])
    await attempt(`nft table ${table}`, () => removeNftTable(table));
  removeResults();
  for (const dir of [ipamDir, dirname(runPaths.flannelSubnet), runPaths.networkPolicies])
    rmSync(dir, { recursive: true, force: true });
  return { removed, left };
}

function isLink(name: string): boolean {
  return existsSync(join('/sys/class/net', name));
}

/** The pods' ends that hang on our bridge. */
function bridgePorts(): readonly string[] {
  return readdirSync('/sys/class/net').filter((name) => {
    try {
      return basename(readlinkSync(join('/sys/class/net', name, 'master'))) === bridgeName;
    } catch {
      return false; // it hangs on nothing
    }
  });
}

async function deleteLink(name: string): Promise<boolean> {
  try {
    await run('ip', ['link', 'delete', name]);
    return true;
  } catch (error) {
    if (isLink(name)) throw error;
    return false; // its other end went meanwhile, with the pod's namespace
  }
}

/** To other nodes' pods, by flannel's host-gw; the other backends' routes go with their links. */
async function hostGatewayRoutes(): Promise<readonly string[]> {
  const network = /^FLANNEL_NETWORK=(\S+)$/m.exec(readFileIfExists(runPaths.flannelSubnet) ?? '')?.[1];
  if (network === undefined) return [];
  const routes = (await outputOf('ip', ['-4', 'route', 'show', 'root', network])) ?? '';
  return routes.split('\n').flatMap((line) => /^\S+ via \S+ dev \S+/.exec(line)?.[0] ?? []);
}

async function deleteRoute(route: string): Promise<boolean> {
  await run('ip', ['-4', 'route', 'delete', ...route.split(' ')]);
  return true;
}

/**
 * The usual ones, and those of either kind by name: the box may have changed from one to the other. The legacy ones
 * would load their kernel module where it is not in use.
 */
function firewallCommands(): readonly string[] {
  return ['ip', 'ip6'].flatMap((family) => {
    const usesLegacy = (readFileIfExists(`/proc/net/${family}_tables_names`) ?? '') !== '';
    return [`${family}tables`, `${family}tables-nft`, ...(usesLegacy ? [`${family}tables-legacy`] : [])];
  });
}

/** Reads all tables, leaves our chains and what jumps to them out, puts the rest back in one step a table. */
async function removeRules(command: string, keptChains: readonly string[]): Promise<boolean> {
  const saved = await outputOf(`${command}-save`);
  if (saved === undefined) return false;
  const kept = withoutOurRules(saved, keptChains);
  if (kept === undefined) return false;
  await run(`${command}-restore`, [], { input: kept });
  await removeIdleChains(command);
  return true;
}

/** iptables of the nft kind makes tables and built-in chains for our rules; those that do nothing now go again. */
async function removeIdleChains(command: string): Promise<void> {
  const version = await outputOf(command, ['--version']);
  if (version === undefined || !version.includes('nf_tables')) return;
  const family = command.startsWith('ip6') ? 'ip6' : 'ip';
  for (const { table, chains, isIdle } of idleChains((await outputOf(`${command}-save`)) ?? '')) {
    if (isIdle) await outputOf('nft', ['delete', 'table', family, table]);
    else for (const chain of chains) await outputOf('nft', ['delete', 'chain', family, table, chain]);
  }
}

/** Where the data dir is lost, `nft` removes the tables if the host has it. */
async function removePolicies(binDir: string | undefined): Promise<boolean> {
  const program = join(binDir ?? '/nowhere', policiesProgram);
  if (existsSync(program)) return removePolicyRules(program);
  if (existsSync(join(runPaths.networkPolicies, 'tables')) && (await outputOf('nft', ['list', 'tables'])) === undefined)
    throw new Error(`neither ${policiesProgram} nor nft is on this host; a reboot removes them`);
  return false;
}

async function removeNftTable(table: string): Promise<boolean> {
  const [family = '', name = ''] = table.split(' ');
  const tables = await outputOf('nft', ['list', 'tables']);
  if (tables === undefined || !tables.includes(`table ${family} ${name}\n`)) return false;
  await run('nft', ['delete', 'table', family, name]);
  return true;
}

/** undefined where the command is not installed: then there are no rules of its kind */
async function outputOf(command: string, args: readonly string[] = []): Promise<string | undefined> {
  try {
    return await run(command, args);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
