import { expect, test } from 'vitest';
import { kinds } from '../../../src/shared/config/config.ts';
import { isNodeName } from '../../../src/shared/node-name.ts';
import { NewTokenRequest } from '../../../src/shared/protocol/local.ts';

test.for(['a', '1', 's1', 'web-1.example.com', 'n'.repeat(63), `${'a'.repeat(31)}.${'b'.repeat(31)}`])(
  '%s names a node',
  (name) => {
    expect(isNodeName(name)).toBe(true);
  },
);

// The kubelet makes the name a label's value, and is refused for ever with one that is longer.
test.for(['', 'A', 'a_b', '-a', 'a-', 'a..b', 'a.-b', '.a', 'n'.repeat(64), `${'a'.repeat(32)}.${'b'.repeat(31)}`])(
  '%s names none, wherever it is given',
  (name) => {
    expect(isNodeName(name)).toBe(false);
    expect(kinds.nodeName.safeParse(name).success).toBe(false);
    expect(NewTokenRequest.safeParse({ role: 'agent', description: '', ttlMs: 0, nodeName: name }).success).toBe(false);
  },
);
