/**
 * Azure puts them into every database of a flexible server, where nobody may create or drop them: whichever side has them,
 * they are neither migrated nor compared.
 */
export const MANAGED_EXTENSIONS = ['azure', 'pgaadauth'];

/** A condition on an extension's name. */
export function isNotManaged(name: string): string {
  return `${name} NOT IN (${MANAGED_EXTENSIONS.map((each) => `'${each}'`).join(', ')})`;
}
