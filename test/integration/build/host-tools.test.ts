/** The script that is iptables on a box that has none, with what it chooses between played by another. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDir } from '../../helpers/temporary.ts';

const script = join(import.meta.dirname, '../../../components/host-tools/iptables');

interface Kernel {
  /** Programs that it lets work. */
  readonly works: string;
  /** Names of its modules. */
  readonly loaded?: readonly string[];
}

/** In a network of its own, in which no rule of the older kind is. @returns each of the two that it has run, as what, with which words */
function iptables({ works, loaded = [] }: Kernel): readonly string[] {
  const dir = temporaryDir();
  mkdirSync(join(dir, 'xtables'));
  copyFileSync(script, join(dir, 'iptables-save'));
  // Called as the dynamic linker is: --library-path DIR --argv0 NAME PROGRAM, then iptables' own words.
  const linker = `#!/bin/sh
case $5 in *-nft-*|*-legacy-*) ;; *) exit 9 ;; esac
program=\${5##*/} name=$4
shift 5
echo "$program as $name: $*" >>'${dir}/runs'
case " ${works} " in *" $program "*) ;; *) echo "$name: cannot" >&2; exit 3 ;; esac
`;
  writeFileSync(join(dir, 'xtables/ld.so'), linker, { mode: 0o755 });
  const modules = loaded.map((name) => `mkdir /sys/module/${name}`);
  const call = ['mount -t tmpfs none /sys/module', ...modules, `exec sh ${dir}/iptables-save -t nat`].join('\n');
  execFileSync('unshare', ['--mount', '--net', 'sh', '-ec', call]);
  return readFileSync(join(dir, 'runs'), 'utf8').trim().split('\n');
}

test.each([
  ['takes both kinds', 'xtables-nft-multi xtables-legacy-multi', 'xtables-nft-multi'],
  ['has no nf_tables', 'xtables-legacy-multi', 'xtables-legacy-multi'],
  ['takes the newer kind alone', 'xtables-nft-multi', 'xtables-nft-multi'],
])('on a kernel that %s iptables works', (_, works, program) => {
  expect(iptables({ works }).at(-1)).toBe(`${program} as iptables-save: -t nat`);
});

test('where nf_tables is loaded, a call is one program', () => {
  const kernel = { works: 'xtables-nft-multi xtables-legacy-multi', loaded: ['nf_tables'] };
  expect(iptables(kernel)).toEqual(['xtables-nft-multi as iptables-save: -t nat']);
});
