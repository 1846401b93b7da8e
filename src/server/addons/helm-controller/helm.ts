/** One run of helm: what it says on its way, and what came of it. */
import * as z from 'zod';
import { jsonIfValid } from '../../../shared/json/json.ts';
import type { HelmProgram } from '../../cluster/cluster.ts';
import { HelmReleaseError } from './errors.ts';
import type { HelmRequest } from './wanted.ts';

const Report = z.object({
  report: z.enum(['step', 'done', 'failed']),
  reason: z.string(),
  message: z.string(),
  retry: z.boolean().default(false),
  release: z.object({ revision: z.int(), chart: z.string(), appVersion: z.string().default('') }).optional(),
});
export type Report = Readonly<z.infer<typeof Report>>;

/** Several hooks may each take their time, and a chart travels as well. */
const patience = (timeoutMs: number) => 4 * timeoutMs + 600_000;

/** @throws {HelmReleaseError} */
export async function runHelm(
  helm: HelmProgram,
  request: HelmRequest,
  onStep: (step: Report) => void,
  signal: AbortSignal,
): Promise<Report> {
  let last: Report | undefined;
  const onLine = (line: string) => {
    const { data } = Report.safeParse(jsonIfValid(line));
    if (data?.report === 'step') onStep(data);
    else if (data !== undefined) last = data;
  };
  const { reason } = await helm.run(request, { timeoutMs: patience(request.timeoutMs), onLine }, signal);
  signal.throwIfAborted();
  if (last?.report === 'done') return last;
  if (last !== undefined) throw new HelmReleaseError({ ...last, mayHeal: last.retry });
  throw new HelmReleaseError({
    reason: 'HelmEnded',
    message: `helm ended: ${reason ?? 'without a word'}`,
    mayHeal: true,
  });
}
