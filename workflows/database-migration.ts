import type { DatabaseStep, ThrottleShare } from '../contract';
import type { ActivityClasses } from './activities';
import type { DatabaseLog } from './database-log';

/** What all of one database's migration has at hand. */
export interface DatabaseMigration {
  step: DatabaseStep;
  log: DatabaseLog;
  activities: ActivityClasses;
  /** Of what the source may be asked for, as it is now. */
  share: () => ThrottleShare;
}
