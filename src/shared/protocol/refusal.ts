import * as z from 'zod';

/** What every door of a server answers with when it says no: the part of RFC 9457's problem that a person is shown. */
export const Refusal = z.object({ code: z.string(), detail: z.string() });
