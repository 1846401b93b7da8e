import { notLooked, warning } from '../check.ts';
import type { Check, Fault } from '../check.ts';
import { splitRemedy } from '../../../shared/errors.ts';
import { podNetworkReason } from './network.ts';

export const componentChecks: readonly Check[] = [
  {
    name: 'components',
    group: 'Components',
    title: 'each component of the running kagent is ready',
    why: 'a node can be Ready all the same, and its Pods lack what they need: the network, Services, names',
    fix: 'kagent status; the log of kagent has more: journalctl -u kagent, or logs/kagent.log in the data dir',
    look({ components, isRunning }) {
      if (components.length === 0) return notLooked(isRunning ? 'kagent has not started yet' : 'no kagent runs here');
      const faults = components.flatMap(({ name, condition }): readonly Fault[] => {
        if (condition.status !== 'False' || condition.reason === podNetworkReason) return [];
        const { what, remedy } = splitRemedy(condition.message, condition.remedy);
        return warning(`${name}: ${what === '' ? condition.reason : what}`, remedy);
      });
      const unknown = components.filter(({ condition }) => condition.status === 'Unknown').map(({ name }) => name);
      return faults.length === 0 && unknown.length > 0
        ? notLooked(`nothing is known yet of ${unknown.join(', ')}`)
        : faults;
    },
  },
];
