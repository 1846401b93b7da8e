/** The same cases for kagent and for a real etcd: what etcd answers is right by definition. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { TestClient } from './etcd-client.ts';
import { etcds } from './etcd-servers.ts';
import type { TestServer } from './etcd-servers.ts';

/** A server with nothing in it at first, and a client of it: there from the first of the cases to the last. */
export interface ServedEtcd {
  readonly name: 'kagent' | 'etcd';
  readonly server: TestServer;
  readonly client: TestClient;
}

/** @param cases is called when tests are collected; what is served is there when they run */
export function describeEachEtcd(cases: (served: () => ServedEtcd) => void): void {
  describe.each(etcds)('%s', (name, start) => {
    let dir = '';
    let served: ServedEtcd | undefined;
    beforeAll(async () => {
      dir = mkdtempSync(join(tmpdir(), 'kagent-test-'));
      const server = await start(dir);
      served = { name, server, client: new TestClient(server.address) };
    });
    afterAll(async () => {
      await served?.client.close();
      await served?.server.stop();
      rmSync(dir, { recursive: true, force: true });
    });
    cases(() => {
      if (served === undefined) throw new Error(`${name} is served while tests run`);
      return served;
    });
  });
}
