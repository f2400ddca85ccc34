import { DatabaseError, type Client } from 'pg';
import { quoteIdentifier } from '../connect';
import { onThisDatabase } from '../database';

/** Where a new owner has to have CREATE. */
export interface Creator {
  role: string;
  /** Null: in the database. */
  schema: string | null;
}

/**
 * ALTER … OWNER TO takes, of a user who is no superuser, that the new owner may create in the object's schema, or the
 * owner of a publication in the database (`ATExecChangeOwner` in tablecmds.c, `AlterObjectOwner_internal` in alter.c). On
 * the source it may by rights that come to the target behind the rows, or because the database is its own, as the target's
 * is from the release on. So the right is lent for the transaction that needs it, which nobody else sees.
 */
export class LentRights {
  private readonly asked = new Set<string>();
  private readonly lent: Creator[] = [];

  constructor(private readonly client: Client) {}

  /** It was not looked at yet. */
  mayLack(creator: Creator): boolean {
    return !this.asked.has(keyOf(creator));
  }

  async lend(creator: Creator): Promise<void> {
    if (!this.mayLack(creator)) return;
    this.asked.add(keyOf(creator));
    if ((await this.isLacking(creator)) && (await this.grant(creator))) this.lent.push(creator);
  }

  async takeBack(): Promise<void> {
    for (const { role, schema } of this.lent) {
      await this.alter('REVOKE', schema, ` FROM ${quoteIdentifier(role)}`);
    }
  }

  private async isLacking({ role, schema }: Creator): Promise<boolean> {
    const { rows } = await this.client.query<{ lacking: boolean }>(
      `SELECT NOT me.rolsuper
              AND NOT CASE WHEN $2::pg_catalog.text IS NULL
                           THEN pg_catalog.has_database_privilege(r.oid, pg_catalog.current_database(), 'CREATE')
                           ELSE pg_catalog.has_schema_privilege(r.oid, n.oid, 'CREATE') END AS lacking
         FROM pg_catalog.pg_roles me
         JOIN pg_catalog.pg_roles r ON r.rolname = $1
         LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = $2
        WHERE me.rolname = current_user`,
      [role, schema],
    );
    return rows[0]?.lacking === true;
  }

  /** @returns false where we may not: then the server says what is missing */
  private async grant({ role, schema }: Creator): Promise<boolean> {
    await this.client.query('SAVEPOINT lend');
    try {
      await this.alter('GRANT', schema, ` TO ${quoteIdentifier(role)}`);
      await this.client.query('RELEASE SAVEPOINT lend');
      return true;
    } catch (error) {
      if (!(error instanceof DatabaseError && error.code === '42501')) throw error;
      await this.client.query('ROLLBACK TO SAVEPOINT lend');
      return false;
    }
  }

  private async alter(verb: 'GRANT' | 'REVOKE', schema: string | null, party: string): Promise<void> {
    if (schema === null) await onThisDatabase(this.client, `${verb} CREATE ON DATABASE `, party);
    else await this.client.query(`${verb} CREATE ON SCHEMA ${quoteIdentifier(schema)}${party}`);
  }
}

function keyOf({ role, schema }: Creator): string {
  return JSON.stringify([role, schema]);
}
