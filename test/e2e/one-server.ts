import { createBox } from '../helpers/cluster.ts';
import { shared } from '../helpers/shared.ts';

/** The box of these stories; nothing of kagent has run on it before the first of them. */
export const theBox = shared(() => createBox('one-server'));
