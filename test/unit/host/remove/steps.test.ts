import { expect, test } from 'vitest';
import { runSteps } from '../../../../src/host/remove/steps.ts';

test('each step runs whatever became of the one before, and what failed is kept', async () => {
  const lines: string[] = [];
  const ran: string[] = [];
  const outcome = await runSteps(
    [
      {
        title: 'pods ended',
        run: async () => {
          throw new Error('process 7 does not end');
        },
      },
      {
        title: 'data removed',
        run: async () => {
          ran.push('data');
          return { stayed: ['/var/log/pods: it was there before kagent'] };
        },
      },
    ],
    (line) => lines.push(line),
  );
  expect(ran).toEqual(['data']);
  expect(outcome).toEqual({
    stayed: ['/var/log/pods: it was there before kagent'],
    failed: ['process 7 does not end'],
  });
  expect(lines[0]).toMatch(/^not all pods ended \(\d+\.\d s\)$/);
  expect(lines[1]).toMatch(/^data removed \(\d+\.\d s\)$/);
});
