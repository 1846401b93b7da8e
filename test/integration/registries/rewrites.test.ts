import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { compileRewrite } from '../../../src/agent/registries/rewrite.ts';
import { buildGoProgram, goBuildTimeoutMs } from '../../helpers/go.ts';
import { anyRewrite, refusedPatterns, rewriteTable, unknownPatterns } from '../../helpers/rewrites.ts';

type Case = readonly [pattern: string, replacement: string, repository: string];

let program = '';
beforeAll(async () => {
  program = await buildGoProgram({ module: 'test/fixtures/rewrites' });
}, goBuildTimeoutMs);

/** @returns of each case what Go makes of it, or else its error */
async function askGo(cases: readonly Case[]): Promise<readonly (readonly [result: string, error: string])[]> {
  const go = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
  go.stdin.end(JSON.stringify(cases));
  return JSON.parse(await text(go.stdout)) as (readonly [string, string])[];
}

async function askOurs([pattern, replacement, repository]: Case): Promise<readonly [result: string, error: string]> {
  try {
    return [(await compileRewrite(pattern, replacement)).apply(repository), ''];
  } catch (error) {
    return ['', (error as Error).message];
  }
}

test('the table of rewrites is what Go makes of them', async () => {
  const answers = await askGo(
    rewriteTable.map(([pattern, replacement, repository]) => [pattern, replacement, repository]),
  );
  expect(answers).toEqual(rewriteTable.map(([, , , result]) => [result, '']));
});

test('patterns that are refused are those that Go refuses, in the same words', async () => {
  const cases = refusedPatterns.map((pattern): Case => [pattern, '', '']);
  expect(await Promise.all(cases.map(askOurs))).toEqual(await askGo(cases));
});

test('what is refused although Go knows it is known, and is little', async () => {
  const answers = await askGo(unknownPatterns.map((pattern): Case => [pattern, '', '']));
  expect(answers.map(([, error]) => error)).toEqual(unknownPatterns.map(() => ''));
});

test('whatever a rewrite is, the name becomes what Go makes of it, or both refuse the pattern', async () => {
  const count = Number(process.env['KAGENT_TEST_REWRITES'] ?? 2000);
  const cases = fc.sample(anyRewrite, count);
  const [ours, theirs] = [await Promise.all(cases.map(askOurs)), await askGo(cases)];
  const different = cases.flatMap((one, index) => {
    const [our, their] = [ours[index], theirs[index]];
    // Which of two mistakes is named does not matter.
    const isSame = our?.[0] === their?.[0] && (our?.[1] === '') === (their?.[1] === '');
    return isSame || our?.[1].includes('duplicate capture group name') === true ? [] : [{ one, our, their }];
  });
  expect(different).toEqual([]);
  expect(theirs.filter(([, error]) => error === '').length).toBeGreaterThan(count / 3);
});
