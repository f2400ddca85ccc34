import { FlexliftError, type FailureFields, type FailurePlace } from '../../../contract';
import type { Relation } from '../pgoutput/change';

/** A change that cannot be applied, and whose it is. Its sentence never holds a value of a row. */
export class ChangeRejection extends FlexliftError {
  /** @param tableOid the table's oid on the source */
  constructor(
    readonly tableOid: number,
    fields: FailureFields,
    options?: { cause?: unknown },
  ) {
    super(fields, options);
    this.name = 'ChangeRejection';
  }
}

/** The table is not the same on both sides any more. */
export function driftedTable(relation: Relation, object: string, sentence: string): ChangeRejection {
  return new ChangeRejection(relation.oid, {
    code: 'SchemaDrift',
    sentence,
    remedy: `Make the table's definition equal on both sides and copy it anew with \`flexlift recopy --table …\`.`,
    side: 'target',
    object,
  });
}

/** The change is not what the rows so far let expect. */
export function unexpectedChange(
  table: { oid: number; name: string },
  sentence: string,
  place: FailurePlace = { side: 'target' },
): ChangeRejection {
  return new ChangeRejection(table.oid, {
    code: 'ChangeRejected',
    sentence,
    remedy: 'Let nobody else write to the target, and copy the table anew with `flexlift recopy --table …`.',
    ...place,
    object: table.name,
  });
}
