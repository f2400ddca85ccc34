/** Something of the table is still to be copied. As a condition over `flexlift.table_load t`. */
export const IS_UNCOPIED = `EXISTS (SELECT FROM flexlift.part p WHERE p.table_oid = t.table_oid AND p.copied_at IS NULL)`;
