import type { AddonContext } from '../../src/server/addons/addons.ts';

/** Of the context of an add-on that has nothing to do with charts. */
export const noHelm: Pick<AddonContext, 'helm' | 'staticDir' | 'supervisor'> = {
  helm: { run: () => Promise.reject(new Error('nobody runs helm here')) },
  staticDir: '/nonexistent',
  supervisor: { url: 'https://127.0.0.1:9345', caPem: '' },
};
