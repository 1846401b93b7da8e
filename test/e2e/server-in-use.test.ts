/** A server that is in use ends, in every way there is, from the crash of a child to uninstalling. Each story puts it to use first. */
import { describe } from 'vitest';
import './server-in-use.ts';

describe('crash', async () => void (await import('./crash/crash.ts')));
describe('helm', async () => void (await import('./helm/helm.ts')));
describe('stop', async () => void (await import('./stop/stop.ts')));
