import { BRANCHES, TELLERS, type Filling } from './schema';

/** One transaction, without parameters, sent as one message. */
export interface Transaction {
  statements: string;
  /** Makes all of it undone. */
  undo: string;
}

/** How many of a hundred transactions are payments, and how many change a document; the rest insert one. */
const PAYMENTS = 70;
const REVISIONS = 15;

/** What an application of that many accounts does next. */
export function randomTransaction(filling: Filling, session: number, number: number): string {
  const kind = random(1, 100);
  if (kind <= PAYMENTS) return payment(filling, session, number).statements;
  if (kind <= PAYMENTS + REVISIONS) {
    return `UPDATE documents SET revision = revision + 1 WHERE id = ${random(1, filling.documents)}`;
  }
  const body = `repeat(md5('${session} ${number}'), 34)`;
  return `INSERT INTO documents (account, revision, body) VALUES (${random(1, filling.accounts)}, 0, ${body})`;
}

/** As pgbench's, without its SELECT. */
export function payment(filling: Filling, session: number, number: number): Transaction {
  const [account, teller, branch] = [random(1, filling.accounts), random(1, TELLERS), random(1, BRANCHES)];
  const delta = random(-5_000, 5_000);
  const move = (sign: '+' | '-') => `
    UPDATE accounts SET balance = balance ${sign} (${delta}) WHERE id = ${account};
    UPDATE tellers SET balance = balance ${sign} (${delta}) WHERE id = ${teller};
    UPDATE branches SET balance = balance ${sign} (${delta}) WHERE id = ${branch};`;
  const values = [session, number, account, teller, branch, delta].join(', ');
  return {
    statements: `BEGIN; ${move('+')}
      INSERT INTO history (session, number, account, teller, branch, delta) VALUES (${values}); COMMIT`,
    undo: `BEGIN; ${move('-')} DELETE FROM history WHERE session = ${session} AND number = ${number}; COMMIT`,
  };
}

function random(from: number, to: number): number {
  return from + Math.floor(Math.random() * (to - from + 1));
}
