import {
  condition,
  defineUpdate,
  getExternalWorkflowHandle,
  setHandler,
  workflowInfo,
  type SignalDefinition,
} from '@temporalio/workflow';
import {
  ABORT_CUTOVER_UPDATE,
  ACCEPT_DRIFT_UPDATE,
  CUTOVER_UPDATE,
  databaseWorkflowId,
  PAUSE_UPDATE,
  RECOPY_UPDATE,
  RESUME_UPDATE,
  type CutoverRequest,
  type DatabasesRequest,
  type DatabaseStatus,
  type MigrationStatus,
  type RecopyRequest,
} from '../contract';
import type { MigrationLog } from './migration-log';
import {
  whyNoCutover,
  chosen,
  whyNotCuttingOver,
  isEnded,
  whyNotReplicating,
  refuse,
  refuseUnless,
} from './order-checks';
import { OrderAnswers } from './order-answers';
import {
  abortCutoverSignal,
  acceptDriftSignal,
  cutoverSignal,
  pauseSignal,
  recopySignal,
  resumeSignal,
  type Answered,
} from './orders';

const cutoverUpdate = defineUpdate<MigrationStatus, [CutoverRequest]>(CUTOVER_UPDATE);
const abortCutoverUpdate = defineUpdate<MigrationStatus, [DatabasesRequest]>(ABORT_CUTOVER_UPDATE);
const pauseUpdate = defineUpdate<MigrationStatus, [DatabasesRequest]>(PAUSE_UPDATE);
const resumeUpdate = defineUpdate<MigrationStatus, [DatabasesRequest]>(RESUME_UPDATE);
const recopyUpdate = defineUpdate<MigrationStatus, [RecopyRequest]>(RECOPY_UPDATE);
const acceptDriftUpdate = defineUpdate<MigrationStatus, [DatabasesRequest]>(ACCEPT_DRIFT_UPDATE);

/**
 * Takes a person's orders for an online migration and hands each to its databases. An order is refused at once where it
 * makes no sense as things stand; a second one of the same kind joins the first.
 */
export function takeOrders(log: MigrationLog): void {
  const orders = new MigrationOrders(log.status);
  log.onCutoverBegun = (database) => orders.cutoverHasBegun(database);
  orders.takeCutover();
  orders.takeAbort();
  orders.takePause();
  orders.takeResume();
  orders.takeRecopy();
  orders.takeAcceptDrift();
}

class MigrationOrders {
  /** Databases whose cutover was asked for and has not begun. */
  private readonly asked = new Set<string>();
  private readonly answers = new OrderAnswers();

  constructor(private readonly status: MigrationStatus) {}

  cutoverHasBegun(database: string): void {
    this.asked.delete(database);
  }

  takeCutover(): void {
    const { status, asked } = this;
    const take = async (request: CutoverRequest) => {
      const databases = chosen(status, request);
      const before = new Map(
        databases
          // the one that runs is joined: its end is the end of this
          .filter(({ cutover }) => cutover?.state !== 'Running')
          .map(({ database, cutover }) => [database, cutover?.startedAt]),
      );
      for (const { database, cutover } of databases) {
        if (cutover?.state === 'Running' || asked.has(database)) continue;
        asked.add(database);
        await send(database, cutoverSignal, request);
      }
      await condition(() => chosen(status, request).every((database) => isCutoverOver(database, before)));
      return status;
    };
    setHandler(cutoverUpdate, take, {
      validator: (request: CutoverRequest) => refuseUnless(status, request, whyNoCutover),
      description: 'Fence the source, bring over the rest, prove equality, release the target',
    });
  }

  takeAbort(): void {
    const { status, asked } = this;
    const take = async (request: DatabasesRequest) => {
      const databases = chosen(status, request).map(({ database }) => database);
      // one that was just asked for and has not begun would not hear it
      await condition(() =>
        chosen(status, request).every((database) => isEnded(database) || !asked.has(database.database)),
      );
      for (const database of databases) await send(database, abortCutoverSignal, request);
      await condition(() => chosen(status, request).every(({ cutover }) => cutover?.state !== 'Running'));
      return status;
    };
    const whyNot = (database: DatabaseStatus) =>
      asked.has(database.database) ? undefined : whyNotCuttingOver(database);
    setHandler(abortCutoverUpdate, take, {
      validator: (request: DatabasesRequest) => refuseUnless(status, request, whyNot),
      description: 'Call the cutover off: lift the fence, replicate on',
    });
  }

  takePause(): void {
    this.takeForAll(pauseUpdate, pauseSignal, 'Apply no more changes for now; the source keeps them');
  }

  takeResume(): void {
    this.takeForAll(resumeUpdate, resumeSignal, 'Apply changes again, after a pause or a failure');
  }

  takeRecopy(): void {
    const take = (request: RecopyRequest) => this.askEach(recopySignal, request, databasesOf(request));
    setHandler(recopyUpdate, take, {
      validator: (request: RecopyRequest) => this.refuseRecopy(request),
      description: 'Copy a table, or all of them, anew',
    });
  }

  takeAcceptDrift(): void {
    const take = (request: DatabasesRequest) => this.askEach(acceptDriftSignal, request, request);
    setHandler(acceptDriftUpdate, take, {
      validator: (request: DatabasesRequest) => this.refuseUnlessReplicating(request),
      description: 'Both schemas were changed alike: go on with them',
    });
  }

  /** At the same time; a database that ends meanwhile need not answer. */
  private takeForAll(
    update: typeof pauseUpdate,
    signal: SignalDefinition<[DatabasesRequest & Answered]>,
    description: string,
  ): void {
    const take = async (request: DatabasesRequest) => {
      await Promise.all(
        chosen(this.status, request).map(({ database }) =>
          this.answers.askUnlessEnded(
            (order) => send(database, signal, { ...request, order }),
            () => this.standing(database),
          ),
        ),
      );
      return this.status;
    };
    setHandler(update, take, {
      validator: (request: DatabasesRequest) => this.refuseUnlessReplicating(request),
      description,
    });
  }

  /** One database after the other. */
  private async askEach<Request extends object>(
    signal: SignalDefinition<[Request & Answered]>,
    request: Request,
    databases: DatabasesRequest,
  ): Promise<MigrationStatus> {
    for (const { database } of chosen(this.status, databases)) {
      await this.answers.ask(
        (order) => send(database, signal, { ...request, order }),
        () => this.standing(database),
      );
    }
    return this.status;
  }

  private standing(name: string): DatabaseStatus | undefined {
    return this.status.databases.find(({ database }) => database === name);
  }

  private refuseUnlessReplicating(request: DatabasesRequest): void {
    refuseUnless(this.status, request, whyNotReplicating);
  }

  private refuseRecopy(request: RecopyRequest): void {
    this.refuseUnlessReplicating(databasesOf(request));
    if (request.table !== undefined && chosen(this.status, databasesOf(request)).length > 1) {
      refuse(
        'The migration has several databases.',
        'Name the one that the table is in: --database.',
        'InvalidRequest',
      );
    }
  }
}

function databasesOf({ database }: RecopyRequest): DatabasesRequest {
  return database === undefined ? {} : { databases: [database] };
}

async function send<Argument>(
  database: string,
  signal: SignalDefinition<[Argument]>,
  argument: Argument,
): Promise<void> {
  const id = databaseWorkflowId(workflowInfo().workflowId, database);
  await getExternalWorkflowHandle(id).signal(signal, argument);
}

function isCutoverOver(database: DatabaseStatus, before: Map<string, string | undefined>): boolean {
  const { cutover } = database;
  if (isEnded(database)) return true;
  return (
    cutover !== undefined &&
    cutover.state !== 'Running' &&
    cutover.startedAt !== before.get(database.database)
  );
}
