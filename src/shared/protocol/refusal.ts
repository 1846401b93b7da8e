import * as z from 'zod';
import { sentence, word } from './text.ts';

/** What every service of a server answers with when it says no: the part of RFC 9457's problem that a person is shown. */
export const Refusal = z.object({
  code: word(),
  detail: sentence(4096),
  /** With which `detail` ends; an earlier server does not name it. */
  remedy: sentence(4096).optional(),
});
export type Refusal = Readonly<z.infer<typeof Refusal>>;
