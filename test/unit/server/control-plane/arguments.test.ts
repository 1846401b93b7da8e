import { expect, test } from 'vitest';
import { commandLine } from '../../../../src/server/control-plane/arguments.ts';

const ours = { 'bind-address': '0.0.0.0', 'feature-gates': 'A=false', profiling: 'false' };

test("the operator's value replaces ours", () => {
  expect(commandLine(ours, ['profiling=true'])).toEqual([
    '--bind-address=0.0.0.0',
    '--feature-gates=A=false',
    '--profiling=true',
  ]);
});

test('a flag given twice is passed twice, a flag without a value is true, dashes do not matter', () => {
  expect(commandLine({}, ['tls-sni-cert-key=a,b', 'tls-sni-cert-key=c,d', '--v'])).toEqual([
    '--tls-sni-cert-key=a,b',
    '--tls-sni-cert-key=c,d',
    '--v=true',
  ]);
});

test('feature gates of the operator are added to ours and come later, so that they win', () => {
  expect(commandLine(ours, ['feature-gates=A=true,B=true'])).toEqual([
    '--bind-address=0.0.0.0',
    '--feature-gates=A=false',
    '--profiling=false',
    '--feature-gates=A=true,B=true',
  ]);
});

test('a value may have an equals sign', () => {
  expect(commandLine({}, ['runtime-config=api/alpha=true'])).toEqual(['--runtime-config=api/alpha=true']);
});
