/** What administrators do with one server. Each story restarts it as it needs it, so that none hangs on the one before. */
import { describe } from 'vitest';
import './one-server.ts';

describe('manifests', async () => void (await import('./manifests/manifests.ts')));
describe('users', async () => void (await import('./users/users.ts')));
describe('support', async () => void (await import('./support/support.ts')));
