import { createNodeIdentities } from '../../src/server/identity/identity.ts';
import type {
  NameAttempt,
  NodeIdentities,
  NodeIdentitiesOptions,
  RevokedIdentity,
} from '../../src/server/identity/identity.ts';
import { silentLog } from '../../src/shared/log/log.ts';
import { memoryKeyValue } from './key-value.ts';

/** Who is which node, where nobody is connected and nobody was heard since 1970, unless said; and what was told of it. */
export function nodeIdentities(changes: Partial<NodeIdentitiesOptions> = {}) {
  const attempts: NameAttempt[] = [];
  const moved: { readonly address: string; readonly from: string; readonly to: string }[] = [];
  let revoked: readonly RevokedIdentity[] = [];
  const identities: NodeIdentities = createNodeIdentities({
    store: memoryKeyValue(),
    ownNode: 's1',
    heardAtMs: () => ({ isConnected: false, ms: 0 }),
    ownAddresses: () => ['10.0.0.9'],
    ranges: { clusterCidr: '10.42.0.0/16', serviceCidr: '10.43.0.0/16' },
    log: silentLog,
    ...changes,
  });
  identities.onAttempt((attempt) => void attempts.push(attempt));
  identities.onMoved((one) => void moved.push(one));
  identities.onRevoked((all) => void (revoked = all));
  return { identities, attempts, moved, revoked: () => revoked };
}
