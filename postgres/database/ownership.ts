import { isProviders, type DatabaseProperties } from '../catalog';

export interface OwnershipOptions {
  /** The database stays the target user's. */
  noOwner: boolean;
  /** The database's rights become those of a new one. */
  noPrivileges: boolean;
}

/** A database that a provider's role owns, as Cloud SQL makes them, stays the target user's as well. */
export function ownershipOf(
  { owner }: DatabaseProperties,
  { noOwner, noPrivileges }: OwnershipOptions,
): OwnershipOptions {
  return { noOwner: noOwner || isProviders(owner), noPrivileges };
}
