import { rm } from 'node:fs/promises';
import { hostsOf } from './hosts.ts';
import type { LabRecord } from './hosts.ts';
import type { Records } from './records.ts';
import { labScript } from './script.ts';

/** Ends every host and takes away all that the lab is made of, as far as it is there. */
export async function labDown(lab: LabRecord, records: Records): Promise<void> {
  const script = labScript(lab);
  for (const host of hostsOf(lab)) await script.run(['wipe', host.name]);
  await script.run(['net-down']);
  await rm(lab.dir, { recursive: true, force: true });
  records.forget(lab.name);
}
