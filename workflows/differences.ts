import { MOST_DIFFERENCES, type Difference } from '../contract';

/** How many there are, in words; a step may have listed the first ones alone. */
export function placesOf({ length }: Difference[]): string {
  return length < MOST_DIFFERENCES ? `${length} places` : `at least ${MOST_DIFFERENCES} places`;
}

export function listed(differences: Difference[]): Difference[] {
  return differences.slice(0, MOST_DIFFERENCES);
}

/** While the replication can go on. */
export function remedyOf({ kind, object }: Difference): string {
  if (kind === 'rows' || kind === 'checksum')
    return 'Copy the named tables anew with flexlift recopy, then cut over again.';
  // what the cutover sets by itself
  const isSetAnew = kind !== 'catalog' || object.startsWith('database ');
  const mend = isSetAnew ? '' : 'Make the named object on the target what it is on the source. ';
  return `${mend}Let nobody alter either database meanwhile, and cut over again; flexlift show lists all differences.`;
}
