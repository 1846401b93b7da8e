/** Hollow nodes on a host of their own, so that what they cost is told apart from what the server costs. */
import { once } from 'node:events';
import { copyFile, mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { buildGoProgram } from '../../test/helpers/go.ts';
import type { LabHost } from '../../test/helpers/lab.ts';

export interface HollowNodes {
  /** Joins as many as are wanting and starts their kubelets; whether they are Ready is the API's to say. */
  growTo(count: number): Promise<void>;
  /** Rejects when any of them has ended by itself. */
  readonly failed: Promise<never>;
  /** What the kubelets wrote, to `dir`. */
  keepLogs(dir: string): Promise<void>;
}

export interface HollowNodesOptions {
  readonly host: LabHost;
  /** The server's supervisor. */
  readonly url: string;
  readonly token: string;
}

export async function createHollowNodes({ host, url, token }: HollowNodesOptions): Promise<HollowNodes> {
  const hollow = await buildGoProgram({ module: 'bench/scale/hollow' });
  const groups: string[] = [];
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => {}); // asked for by whoever waits
  let running = 0;
  return {
    failed: failure.promise,
    async growTo(count) {
      const names = Array.from({ length: count - running }, (_, index) => nodeName(running + index));
      const [first] = names;
      if (first === undefined) return;
      const script = join(import.meta.dirname, 'agents.ts');
      const env = { GOGC: '400' }; // the machine has more memory than CPU to give away
      const agents = host.start([process.execPath, script, url, token, hollow, ...names], { env });
      groups.push(first);
      running = count;
      let said = '';
      agents.stderr?.on('data', (bytes) => (said += String(bytes)));
      agents.once('close', () => failure.reject(new Error(`the agents from ${first} on have ended:\n${said}`)));
      if (agents.stdout === null) throw new Error('no stdout');
      await Promise.race([once(createInterface({ input: agents.stdout }), 'line'), failure.promise]);
    },
    async keepLogs(dir) {
      await mkdir(dir, { recursive: true });
      for (const first of groups)
        await copyFile(join(host.dir, 'disk/var/log', `${first}.log`), resolve(dir, `${first}.log`));
    },
  };
}

const nodeName = (index: number) => `hollow-${String(index).padStart(4, '0')}`;
