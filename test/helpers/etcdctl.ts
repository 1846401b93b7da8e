/** etcd's own command line, as an operator uses it. */
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';

const binary = process.env['KAGENT_TEST_ETCDCTL'] ?? resolve(import.meta.dirname, '../../dist/components/bin/etcdctl');

/** @returns its standard output. @throws when it fails */
export async function etcdctl(address: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(binary, [`--endpoints=${address}`, '--command-timeout=20s', ...args]);
  return stdout;
}
