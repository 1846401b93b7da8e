/** Console blocks of the docs: what is typed, and what is printed below it. `…` stands for whatever is there. */

export interface Typed {
  /** Without its `$` and without `sudo`. */
  readonly command: string;
  /** Every line that is shown below it; none: nothing is printed. A line that is `…` alone stands for any number of lines. */
  readonly shown: readonly string[];
}

/** Every `$ …` of the blocks that are marked as `console`. */
export function typedIn(text: string): readonly Typed[] {
  const blocks = [...text.matchAll(/^```console\n([^]*?)^```/gm)].map(([, inside = '']) => inside);
  return blocks.flatMap((block) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((part) => {
        const [command = '', ...shown] = linesOf(part);
        return { command: command.replaceAll('sudo ', ''), shown };
      }),
  );
}

/** Columns may be wider or narrower, and blank lines elsewhere: neither is what a reader compares. */
export function isAsShown(shown: readonly string[], output: string): boolean {
  const pattern = shown.map((line) => (line === '…' ? '(?:.*\\n)*' : `${textPattern(line)}\\n`)).join('');
  return new RegExp(`^${pattern}$`).test(
    linesOf(output)
      .map((line) => `${line}\n`)
      .join(''),
  );
}

function linesOf(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => line.trim().replaceAll(/\s+/g, ' '))
    .filter((line) => line !== '');
}

function textPattern(line: string): string {
  return line
    .split('…')
    .map((part) => RegExp.escape(part))
    .join('.*');
}
