/**
 * @module
 * `kagent lab`: a cluster of several nodes on one box, for trying things out; gone without a trace.
 * Knows: which hosts a lab has and what each runs, the labs of this box, the script that makes hosts (lab.sh).
 * Leaves to others: everything that happens in a host: kagent itself does it there, as on any box.
 *
 *   commands ─▶ actions ─▶ up, down, ls ─▶ script (lab.sh) ─▶ namespaces, cgroups, links, disks
 *                     └──▶ records, hosts
 */
export { labCommand } from './commands.ts';
