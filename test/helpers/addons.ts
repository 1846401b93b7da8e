import type { AddonContext } from '../../src/server/addons/addons.ts';
import { silentLog } from '../../src/shared/log/log.ts';

type Given = Pick<AddonContext, 'kube'> & Partial<Omit<AddonContext, 'nodes'>>;

/** What an add-on works with, of a server `s1`; `nodes` are none unless given. */
export function addonContext(given: Given & { readonly nodes?: Partial<AddonContext['nodes']> }): AddonContext {
  const nobody = () => Promise.reject(new Error('there are no volumes here'));
  return {
    nodeName: 's1',
    image: (name) => `kagent.sh/${name}:v1`,
    definitionsDir: '/definitions',
    afterStart: [],
    localStoragePath: '/storage',
    helm: { run: () => Promise.reject(new Error('nobody runs helm here')) },
    staticDir: '/nonexistent',
    supervisor: { url: 'https://127.0.0.1:9345', caPem: '' },
    log: silentLog,
    ...given,
    nodes: {
      objects: () => [],
      onObjectChange: () => {},
      portsInUse: () => Promise.resolve([]),
      makeVolume: nobody,
      removeVolume: nobody,
      ...given.nodes,
    },
  };
}
