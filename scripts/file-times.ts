import { appendFileSync } from 'node:fs';
import type { Reporter, TestModule } from 'vitest/node';

/** Writes a line `SECONDS PATH` for each file of tests, with all that it took: loading it, its hooks, its tests. */
export class FileTimes implements Reporter {
  readonly #output: string;

  constructor(output: string) {
    this.#output = output;
  }

  onTestModuleEnd(module: TestModule): void {
    const { prepareDuration, environmentSetupDuration, setupDuration, collectDuration, duration } = module.diagnostic();
    const ms = prepareDuration + environmentSetupDuration + setupDuration + collectDuration + duration;
    appendFileSync(this.#output, `${(ms / 1000).toFixed(1)} ${module.moduleId}\n`);
  }
}
