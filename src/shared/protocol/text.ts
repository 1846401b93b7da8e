/**
 * @module
 * How long the texts and lists of a message may be. Whoever sends more than any kagent does is not read, or not read on:
 * nothing that a peer says grows a server, fills a log or speaks to a terminal.
 */
import * as z from 'zod';
import { plainLine, plainText } from '../plain-text/plain-text.ts';

/** Names, ids, addresses, versions: taken as they are, or the message is refused. */
export function word(maxChars = 256): z.ZodType<string, string> {
  return z
    .string()
    .max(maxChars)
    .refine((text) => plainLine(text) === text, 'control characters');
}

/** A sentence for a person: cut at `maxChars`, one line, nothing that acts on a terminal. */
export function sentence(maxChars = 1024): z.ZodType<string, string> {
  return z.string().transform((text) => plainLine(text.slice(0, maxChars)));
}

/** As `sentence`, of several lines. */
export function prose(maxChars: number): z.ZodType<string, string> {
  return z.string().transform((text) => plainText(text.slice(0, maxChars)));
}

/** Certificates, keys and requests for them. */
export function pem(maxChars = 16 * 1024): z.ZodType<string, string> {
  return z.string().max(maxChars);
}

/** `https://host:port` of some servers. */
export const urls = z.array(z.url().max(2048)).max(64);
