/** Writes docs/cis.md from the items of `kagent doctor --cis`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { cisItems } from '../src/host/doctor/doctor.ts';
import type { CisItem } from '../src/host/doctor/doctor.ts';

const states: Readonly<Record<CisItem['by'], string>> = {
  default: 'pass',
  profile: 'pass with `--profile cis`',
  'not there': 'fail',
  yours: 'yours',
  'not applicable': 'not applicable',
};

const head = `# CIS Kubernetes Benchmark

What kagent does about each item of the benchmark (numbers as in version 1.10). \`kagent doctor --cis\` checks a box: pass, fail, not
applicable, or to be checked by a person, why, and the next step; \`-o json\` is for programs.

\`--profile cis\`, on servers and agents, turns on what could break existing workloads: an audit log (who did what to which object, never its content;
\`audit/audit.log\`, ten files of 100 MB, 30 days), Pod Security \`restricted\` for every namespace without a label of its own but
kube-system, no Services with externalIPs, service accounts' tokens that expire at their time, 4096 processes a Pod, seccomp for every
Pod, and a kubelet that exits when the kernel's settings are not what it expects (kagent sets them).

| Item | What it asks for | State | Why |
| --- | --- | --- | --- |
`;

export function cisDoc(): string {
  const rows = cisItems.map(({ id, title, by, why, next }) => {
    const more = next === undefined || by === 'default' ? '' : `; ${next}`;
    return `| ${id} | ${title} | ${states[by]} | ${why}${more} |\n`;
  });
  return `${head}${rows.join('')}`;
}

if (import.meta.main) {
  const path = join(import.meta.dirname, '../docs/cis.md');
  writeFileSync(path, cisDoc());
  execFileSync(join(import.meta.dirname, '../node_modules/.bin/oxfmt'), [path]);
}
