import { expect, test } from 'vitest';
import {
  both,
  checkArguments,
  commandLine,
  ComponentArgumentError,
  flagsOf,
  valueOf,
} from '../../../../src/shared/arguments/arguments.ts';
import type { FlagRules } from '../../../../src/shared/arguments/arguments.ts';

const ours = { 'bind-address': '0.0.0.0', 'feature-gates': 'A=false', profiling: 'false' };
const rules: FlagRules = {
  'feature-gates': both,
  'bind-address': { becomes: 'refused', instead: 'use bind-address' },
  single: { becomes: 'alone', without: ['profiling'] },
};
const line = (...args: readonly string[]) => commandLine(ours, flagsOf(args), rules);

test("the operator's value replaces ours", () => {
  expect(line('profiling=true')).toEqual(['--bind-address=0.0.0.0', '--feature-gates=A=false', '--profiling=true']);
});

test('a flag given twice is passed twice, a flag without a value is true, dashes and underscores do not matter', () => {
  expect(commandLine({}, flagsOf(['tls-sni-cert-key=a,b', 'tls_sni_cert_key=c,d', '--v']), rules)).toEqual([
    '--tls-sni-cert-key=a,b',
    '--tls-sni-cert-key=c,d',
    '--v=true',
  ]);
});

test("what is merged is passed once, ours with the operator's, which come later and win", () => {
  expect(line('feature-gates=A=true,B=true', 'v=2', 'feature-gates=C=true')).toEqual([
    '--bind-address=0.0.0.0',
    '--profiling=false',
    '--feature-gates=A=false',
    '--feature-gates=A=true,B=true',
    '--feature-gates=C=true',
    '--v=2',
  ]);
});

test('what the program does not take beside a flag of the operator is left out', () => {
  expect(line('single=1')).toEqual(['--bind-address=0.0.0.0', '--feature-gates=A=false', '--single=1']);
});

test('a value may have an equals sign, and the last of several counts', () => {
  const flags = flagsOf(['runtime-config=api/alpha=true', 'v=1', '--v=4']);
  expect(flags[0]).toEqual({ name: 'runtime-config', value: 'api/alpha=true' });
  expect(valueOf(flags, 'v')).toBe('4');
  expect(valueOf(flags, 'w')).toBeUndefined();
});

test('what is refused is named with what to do instead, unless it is the case anyway', () => {
  const check = (...args: readonly string[]) => checkArguments({ setting: 'kube-apiserver-arg', args, rules, ours });
  expect(() => check('bind-address=0.0.0.0', 'toString=1')).not.toThrow();
  expect(() => check('v=1', '--bind_address=10.0.0.1')).toThrow(ComponentArgumentError);
  expect(() => check('bind-address=10.0.0.1')).toThrow(
    "kube-apiserver-arg 'bind-address=10.0.0.1' cannot be set: use bind-address",
  );
});
