/** A room imports from rows above its own, through doors only; rooms of one row meet in `server.ts`, `agent.ts`, `main.ts`. */
export const layers: readonly (readonly string[])[] = [
  ['shared'],
  ['server/store', 'server/http2', 'server/pki', 'server/release', 'server/identity', 'agent/host', 'agent/join'],
  [
    'server/etcd',
    'server/join',
    'server/probe',
    'server/control-plane',
    'agent/runtime',
    'agent/registries',
    'agent/node',
    'agent/network',
    'agent/doctor',
  ],
  ['server/nodes', 'server/tunnel', 'agent/channel', 'agent/load-balancer', 'agent/offline'],
  ['server/api', 'server/manifests', 'server/operations', 'agent/remove'],
  ['server', 'agent', 'lab', 'support'],
  ['.'], // src/main.ts
];
