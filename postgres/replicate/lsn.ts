/**
 * A position in the source's WAL. As a number it is a bigint; in SQL, in the ledger and for people it is PostgreSQL's
 * own text, two hexadecimal halves: `16/B374D848`. https://www.postgresql.org/docs/current/datatype-pg-lsn.html
 */
export type Lsn = bigint;

export function parseLsn(text: string): Lsn {
  const [high = '0', low = '0'] = text.split('/');
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}

export function formatLsn(lsn: Lsn): string {
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffffffffn).toString(16).toUpperCase()}`;
}
