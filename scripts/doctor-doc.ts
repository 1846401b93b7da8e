/** Writes docs/doctor.md out of the checks: `node scripts/doctor-doc.ts`. A unit test compares the two. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { allChecks, groups } from '../src/host/doctor/doctor.ts';

export function doctorDoc(): string {
  return `# kagent doctor

\`kagent doctor [server|agent]\` checks a box for what would keep kagent from running well. Each finding says what it is, why it
matters and what helps:

- \`fatal\`: a start would end with this very error. The exit code is 1; without such a finding it is 0.
- \`warning\`: kagent starts, and something will not work, or not well.
- \`note\`: worth knowing; nothing need be done.

\`--fix\` repairs what can be repaired safely of the first two. Whatever it changes is noted in the data dir first, and undone by
\`kagent uninstall\`. \`--json\` (or \`-o json\`) is for programs, \`--verbose\` lists what is fine as well. Only what was checked is fine: a check that
cannot be made (a file of the kernel's is not there), or has nothing to check (ports, while kagent itself has them), is counted apart, and
\`--verbose\` and \`notLooked\` in JSON have its reason. Ports, ranges and the like are taken from \`/etc/kagent/config.yaml\`. A start checks for the fatal ones, and logs the warnings of its quick checks, which cost it nothing.

\`kagent doctor --from https://SERVER:9345 --token TOKEN\` also checks the path to a server; a box that has joined needs no
token. The server sends packets of several sizes to the box that asks, and counts those that come from it. They go to UDP 8472
although the kernel holds that port wherever the pods' network is up: inside VXLAN, as pods' own packets do. Where that cannot be tested, a note says so.

${groups.map(section).join('\n')}`;
}

function section(group: string): string {
  const rows = allChecks.filter((check) => check.group === group);
  const text = rows.map((check) => {
    const fix = 'repair' in check ? `${check.fix}; \`--fix\` does it` : check.fix;
    return `### ${check.name}\n\n- fine: ${check.title}\n- why: ${check.why}\n- fix: ${fix}\n`;
  });
  return `## ${group}\n\n${text.join('\n')}`;
}

if (import.meta.main) writeFileSync(join(import.meta.dirname, '../docs/doctor.md'), doctorDoc());
