import { Migrations } from './migration';
import { dropTestDatabase, type Major } from './servers';
import { createShopLike } from './shop-like';
import { WorkerProcess } from './worker-process';

/** What every end-to-end test of a small database needs; made before all tests of a file and taken away after. */
export interface ShopMigrations {
  readonly migrations: Migrations;
  /** On the source; the one on the target is dropped after each test. */
  readonly database: string;
  /** It is killed after the test, if it lives. */
  startWorker(pool: string, queues?: string[]): WorkerProcess;
}

export function useShopMigrations(source: Major, target: Major, rows?: number): ShopMigrations {
  const workers: WorkerProcess[] = [];
  let migrations: Migrations | undefined;
  let database = '';

  beforeAll(async () => {
    migrations = await Migrations.connect();
    database = await createShopLike(source, rows);
  });
  afterEach(async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.kill()));
    await dropTestDatabase(target, database);
  });
  afterAll(async () => {
    await dropTestDatabase(source, database);
    await migrations?.close();
  });

  return {
    get migrations() {
      if (migrations === undefined) throw new Error('no test runs yet');
      return migrations;
    },
    get database() {
      return database;
    },
    startWorker(pool, queues) {
      const worker = WorkerProcess.start({ pool, queues });
      workers.push(worker);
      return worker;
    },
  };
}
