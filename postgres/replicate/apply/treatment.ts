import { DatabaseError, type Client } from 'pg';
import { mapPostgresError, serverName } from '../../connect';
import { ChangeRejection, unexpectedChange } from './change-rejection';
import type { StatementFailure } from './pipeline';

const FEATURE_NOT_SUPPORTED = '0A000';
/** elog(ERROR), and ereport() without a state. */
const UNSPECIFIED = 'XX000';

/** How the tables' changes are written; learns from each try that failed. */
export class Treatment {
  /** By oid on the source: one by one instead of the net effect. */
  readonly strictTables = new Set<number>();
  /** By the oid of the first table of a TRUNCATE that the target refuses, for a foreign key refers to one of its tables. */
  readonly emptiedByDelete = new Set<number>();

  constructor(private readonly target: Client) {}

  get isRepeated(): boolean {
    return this.strictTables.size + this.emptiedByDelete.size > 0;
  }

  /** @throws ChangeRejection, or the server's failure where another try would be no better */
  changeAfter(failure: StatementFailure): void {
    const { table, action } = failure.expectation;
    const { cause } = failure;
    if (table === undefined || (cause instanceof DatabaseError && !this.isOfTable(cause))) {
      throw mapPostgresError(cause, this.place());
    }
    const isRefused = cause instanceof DatabaseError && cause.code === FEATURE_NOT_SUPPORTED;
    if (action === 'truncate' && isRefused && !this.emptiedByDelete.has(table.oid)) {
      this.emptiedByDelete.add(table.oid);
    } else if (this.strictTables.has(table.oid)) {
      throw this.rejection(failure, table);
    } else {
      this.strictTables.add(table.oid);
    }
  }

  private rejection(failure: StatementFailure, table: { oid: number; name: string }): ChangeRejection {
    const { expectation, found, cause } = failure;
    if (found !== undefined) {
      const sentence = `A change of the kind ${expectation.action} met ${found} rows instead of ${expectation.rows}.`;
      return unexpectedChange(table, sentence, this.place());
    }
    const { fields } = mapPostgresError(cause, { ...this.place(), object: table.name });
    const remedy =
      'Correct what the target refuses, and copy the table anew with `flexlift recopy --table …`.';
    return new ChangeRejection(table.oid, { ...fields, remedy }, { cause });
  }

  /** What does not pass. An extension refuses a value by the state of what nobody foresaw: that would hold up all tables. */
  private isOfTable(error: DatabaseError): boolean {
    return error.code === UNSPECIFIED || mapPostgresError(error, this.place()).failureClass === 'permanent';
  }

  private place() {
    return { side: 'target' as const, server: serverName(this.target), database: this.target.database };
  }
}
