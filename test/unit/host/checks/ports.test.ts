import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { lastingPortProblems, parseListening, portOwner, portProblems } from '../../../../src/host/checks/ports.ts';
import { hostRoot } from '../../../../src/host/checks/root.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:192B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 41234 1 0000000000000000 100 0 0 10 0
   1: 0100007F:0016 0100007F:D2A4 01 00000000:00000000 00:00000000 00000000     0        0 51234 1 0000000000000000 20 4 30 10 -1
`;

test('only sockets that listen are counted, and hexadecimal ports are read', () => {
  expect(parseListening(table)).toEqual([{ port: 6443, inode: '41234' }]);
});

test('an IPv6 table is read the same way', () => {
  const row = '   0: 00000000000000000000000000000000:280A 0:0 0A 0:0 0:0 0 0 0 777 1';
  expect(parseListening(`header\n${row}\n`)).toEqual([{ port: 10_250, inode: '777' }]);
});

test('who listens on one address leaves the port of the others free', () => {
  const row = (address: string) => `header\n 0: ${address}:192B 0:0 0A 0:0 0:0 0 0 0 777 1\n`;
  const taken = (listener: string, address?: string) => {
    const dir = temporaryDir();
    mkdirSync(join(dir, 'proc/net'), { recursive: true });
    writeFileSync(join(dir, 'proc/net/tcp'), row(listener));
    const need = { port: 6443, purpose: 'kube-apiserver', ...(address !== undefined && { address }) };
    return portProblems([need], hostRoot(dir)).length > 0;
  };
  const [own, other, every] = ['0B004D0A', '0A004D0A', '00000000'];
  expect(taken(own, '10.77.0.11')).toBe(true);
  expect(taken(every, '10.77.0.11')).toBe(true);
  expect(taken(other, '10.77.0.11')).toBe(false);
  expect(taken(other, '0.0.0.0')).toBe(true);
  expect(taken(other)).toBe(true);
  expect(taken(`0000000000000000FFFF0000${own}`, '10.77.0.11')).toBe(true);
  expect(taken(`0000000000000000FFFF0000${other}`, '10.77.0.11')).toBe(false);
});

test('a taken port is a problem that names the port, its purpose and the process', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const [problem, ...others] = portProblems([{ port, purpose: 'kube-apiserver' }], hostRoot());
  expect(others).toEqual([]);
  expect(problem?.code).toBe('HOST_PORT_TAKEN');
  expect(problem?.message).toContain(`port ${port} (kube-apiserver) is taken by `);
  expect(problem?.message).toContain(`(pid ${process.pid})`);
});

test('at a start a port is waited for whose owner has ended already, and not one whose owner is there', async () => {
  const dir = temporaryDir();
  mkdirSync(join(dir, 'proc/net'), { recursive: true });
  writeFileSync(join(dir, 'proc/net/tcp'), table);
  const needs = [{ port: 6443, purpose: 'kube-apiserver' }];
  const problems = lastingPortProblems(needs, hostRoot(dir));
  setTimeout(() => writeFileSync(join(dir, 'proc/net/tcp'), ''), 100);
  expect(await problems).toEqual([]);
  const server = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  expect(await lastingPortProblems([{ port, purpose: 'kube-apiserver' }])).toHaveLength(1);
});

test('a free port is no problem', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  expect(portProblems([{ port, purpose: 'kubelet' }], hostRoot())).toEqual([]);
  expect(portOwner(port, hostRoot())).toBeUndefined();
});
