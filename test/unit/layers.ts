/** A room imports from rows above its own, through entries only; rooms of one row meet in `server.ts`, `agent.ts`, `main.ts`. */
export const layers: readonly (readonly string[])[] = [
  ['shared'],
  ['host', 'kube'],
  ['cli'],
  ['datastore/store', 'datastore/http2'],
  ['datastore/etcd'],
  ['datastore/client'],
  ['datastore/backup', 'datastore/external'],
  ['datastore'],
  [
    'server/pki',
    'server/cluster',
    'agent/membership',
    'agent/volumes',
    'agent/runtime',
    'agent/registries',
    'agent/network',
  ],
  ['server/identity', 'server/release', 'server/probe', 'server/charts', 'server/etcd'],
  ['server/control-plane', 'server/join', 'server/addons', 'agent/load-balancer', 'agent/channel', 'agent/node'],
  ['server/nodes', 'server/tunnel', 'server/manifests', 'server/policies', 'agent/offline'],
  ['server/api'],
  ['server', 'agent', 'lab', 'support'],
  ['.'], // src/main.ts
];
