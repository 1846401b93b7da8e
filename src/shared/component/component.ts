/**
 * @module
 * The shape of everything that is started, watched and stopped, and the manager that does so in order.
 * Knows: order, readiness, stopping in reverse. Leaves to others: how a child process is kept alive (process/).
 */

export type { Condition, Component, ComponentManager, NotReady } from './types.ts';
export { createComponentManager, type ComponentObserver } from './manager.ts';
export { heldUpBy, isToBeTold, watchNotReady } from './not-ready.ts';
export { conditionTracker, type ConditionTracker } from './condition.ts';
export { deferred } from './deferred.ts';
export { task, type SaysWait } from './task.ts';
export type { ComponentName } from './names.ts';
