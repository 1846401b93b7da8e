/**
 * @module
 * Text that somebody else wrote, made harmless where a person reads it: a terminal, a log line, a condition.
 * Knows: which characters act on a terminal, or turn around what is read. Leaves to others: how long a text may be.
 */

/** Controls (C1 too: `\u009b` begins a sequence as `ESC [` does), line separators, halves of characters, turned directions. */
const acting = /(?![\n\t])[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/** As it was, with `\u001b` for an escape: nothing acts, and a person sees what was there. Newlines and tabs stay. */
export function plainText(text: string): string {
  return text.replaceAll(acting, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** `plainText` of one line. */
export function plainLine(text: string): string {
  return plainText(text.replaceAll(/[\r\n\t]+/g, ' '));
}

/** Of a text that ends with a newline or several, without these. */
export function lastLines(text: string, count: number): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}
