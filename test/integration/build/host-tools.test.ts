/** The script that is iptables on a box that has none, with what it chooses between played by another. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDir } from '../../helpers/temporary.ts';

const script = join(import.meta.dirname, '../../../components/host-tools/iptables');

/** In a network of its own, in which no rule of the older kind is. @returns which of the two it has run, as what, with which words */
function iptables(works: string): string {
  const dir = temporaryDir();
  mkdirSync(join(dir, 'xtables'));
  copyFileSync(script, join(dir, 'iptables-save'));
  // Called as the dynamic linker is: --library-path DIR --argv0 NAME PROGRAM, then iptables' own words.
  const linker = `#!/bin/sh
case $5 in *-nft-*|*-legacy-*) ;; *) exit 9 ;; esac
case " ${works} " in *" \${5##*/} "*) ;; *) echo "$4: cannot" >&2; exit 3 ;; esac
program=\${5##*/} name=$4
shift 5
echo "$program as $name: $*"
`;
  writeFileSync(join(dir, 'xtables/ld.so'), linker, { mode: 0o755 });
  const apart = ['--user', '--map-root-user', '--net', 'sh', join(dir, 'iptables-save'), '-t', 'nat'];
  return execFileSync('unshare', apart, { encoding: 'utf8' }).trim();
}

test.each([
  ['takes both kinds', 'xtables-nft-multi xtables-legacy-multi', 'xtables-nft-multi'],
  ['has no nf_tables', 'xtables-legacy-multi', 'xtables-legacy-multi'],
  ['takes the newer kind alone', 'xtables-nft-multi', 'xtables-nft-multi'],
])('on a kernel that %s iptables works', (_, works, program) => {
  expect(iptables(works)).toBe(`${program} as iptables-save: -t nat`);
});
