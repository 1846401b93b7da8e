/** What a cluster of three hosts bears: a network that fails, hosts that hang or lose their power, a disk that is lost. */
import { describe } from 'vitest';
import './three-hosts.ts';

describe('bad-network', async () => void (await import('./bad-network/bad-network.ts')));
describe('power', async () => void (await import('./power/power.ts')));
