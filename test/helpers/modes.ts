import * as z from 'zod';
import { Command } from 'commander';
import { AgentConfig, nodeSettings } from '../../src/agent/config.ts';
import { serverSettings } from '../../src/server/config.ts';
import { addSettings, flagSource } from '../../src/cli/flags.ts';
import type { Source } from '../../src/shared/config/config.ts';

/** Both modes, as `main.ts` puts them together. */
export const serverSchema = z.strictObject({ ...serverSettings, ...nodeSettings });
export const schemas: readonly z.ZodObject[] = [serverSchema, AgentConfig];

/** What a command line says. */
export function flagsOf(schema: z.ZodObject, args: readonly string[]): Source {
  const command = addSettings(new Command('test').exitOverride().configureOutput({ writeErr: () => {} }), schema);
  return flagSource(command.parse([...args], { from: 'user' }), schema);
}
