import { setTimeout as pause } from 'node:timers/promises';
import { replicateWorkflowId, databaseWorkflowId } from '../../contract';
import { TEST_TIMEOUTS } from '../support/migration';
import { cutOver, expectReleased, untilReplication, useOnlineMigrations } from '../support/online';
import { eventually } from '../support/eventually';
