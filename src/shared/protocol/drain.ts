/**
 * @module
 * A node asks its server to move its pods away before it stops: `POST /v1/drain`, with the node's certificate. It is for its
 * own name alone: the certificate says which.
 */
import * as z from 'zod';
import { sentence, word } from './text.ts';

export const drainPath = '/v1/drain';
/** On a Node that was cordoned so: the run of kagent that is going to stop. Another run is a start, and ends it. */
export const stoppedRunAnnotation = 'kagent.sh/stopped-run';

export const DrainRequest = z.object({
  /** Of the kagent that asks, as in its hello. */
  run: word(),
  timeoutMs: z.int().positive().max(3_600_000),
});
export type DrainRequest = Readonly<z.infer<typeof DrainRequest>>;

const DrainedPod = z.object({ pod: sentence(), reason: sentence(4096) });

export const DrainResponse = z.object({
  /** False: time was over, and the node takes pods again. */
  done: z.boolean(),
  moved: z.int(),
  /** `default/web-1`, and why it is still there. */
  left: z.array(DrainedPod).max(10_000),
});
export type DrainResponse = Readonly<z.infer<typeof DrainResponse>>;
