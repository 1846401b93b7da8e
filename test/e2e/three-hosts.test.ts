/** A first day on three hosts, and what such a cluster bears: a network that fails, hosts that hang or lose their power, a disk that is lost. */
import { describe } from 'vitest';
import './three-hosts.ts';

describe('k3s-day-one', async () => void (await import('./k3s-day-one/with-agents.ts')));
describe('volumes', async () => void (await import('./volumes/volumes.ts')));
describe('bad-network', async () => void (await import('./bad-network/bad-network.ts')));
describe('power', async () => void (await import('./power/power.ts')));
