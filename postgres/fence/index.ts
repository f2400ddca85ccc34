export { fenceName, foreignFences, readFence, type Fence } from './fence';
export { liftFence, liftFenceStatement, type LiftedFences } from './lift-fence';
export { propertiesBehindFence } from './properties-behind-fence';
export * from './raise-fence';
export { refuseLiftedFence } from './refuse-lifted-fence';
export type { OtherSession } from './other-sessions';
