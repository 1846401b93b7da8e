/**
 * Tells a person how far the build is: one line that changes on a terminal, a line per step elsewhere.
 */
export interface Step {
  readonly name: string;
  /** Found in the cache: costs next to nothing. */
  readonly cached: boolean;
  readonly estimateMs: number;
  readonly run: () => Promise<void>;
}

export interface ProgressOutput {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

const cachedMs = 100;
const refreshMs = 250;

/** Runs the steps one after another; Go and zstd use every core by themselves. */
export async function runSteps(steps: readonly Step[], output: ProgressOutput): Promise<void> {
  const began = performance.now();
  const expected = (step: Step) => (step.cached ? cachedMs : step.estimateMs);
  for (const [index, step] of steps.entries()) {
    const stepBegan = performance.now();
    const laterMs = steps.slice(index + 1).reduce((sum, later) => sum + expected(later), 0);
    const line = () => {
      const tookMs = performance.now() - stepBegan;
      const leftMs = Math.max(0, expected(step) - tookMs) + laterMs;
      return `[${index + 1}/${steps.length}] ${step.name}  ${duration(tookMs)}, about ${duration(leftMs)} left`;
    };
    const done = () =>
      `[${index + 1}/${steps.length}] ${step.name}  ${step.cached ? 'unchanged' : duration(performance.now() - stepBegan)}\n`;
    await (output.isTTY === true ? onTerminal(step, line, done, output) : onPlainOutput(step, line, done, output));
  }
  output.write(`done in ${duration(performance.now() - began)}\n`);
}

async function onTerminal(step: Step, line: () => string, done: () => string, output: ProgressOutput): Promise<void> {
  const show = () => output.write(`\r\u001b[K${line()}`);
  show();
  const timer = setInterval(show, refreshMs);
  try {
    await step.run();
  } finally {
    clearInterval(timer);
    output.write('\r\u001b[K');
  }
  output.write(done());
}

async function onPlainOutput(
  step: Step,
  line: () => string,
  done: () => string,
  output: ProgressOutput,
): Promise<void> {
  if (!step.cached) output.write(`${line()}\n`);
  await step.run();
  output.write(done());
}

export function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${String(seconds % 60).padStart(2, '0')}s`;
}
