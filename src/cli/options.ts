import { InvalidArgumentError, Option } from 'commander';
import { parseDuration } from '../shared/duration.ts';
import { plainText } from '../shared/plain-text/plain-text.ts';

/** `-o json`, which every command that shows something has. */
export function jsonOption(): Option {
  return new Option('-o, --output <form>', "'json' for programs").choices(['json']);
}

/** Of an option that may be given several times. */
export function collected(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

/** `10m`, `24h`. @returns milliseconds */
export function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new InvalidArgumentError('It must be a time span such as 10m or 24h.');
  return ms;
}

/** What a person or a program reads: nothing that a node or a server has said acts on the terminal. */
export function print(text: string): void {
  process.stdout.write(`${plainText(text)}\n`);
}
