/**
 * A condition on `entry`, out of `aclexplode` of the rights to the catalog's row `o`: initdb or an extension's script did not
 * give it. What they gave is not dumped.
 */
export const WAS_GRANTED = `NOT EXISTS (
         SELECT FROM pg_catalog.pg_init_privs i
          CROSS JOIN LATERAL pg_catalog.aclexplode(i.initprivs) AS initial
          WHERE i.objoid = o.oid AND i.classoid = o.tableoid AND i.objsubid = 0
            AND initial.grantee = entry.grantee AND initial.privilege_type = entry.privilege_type)`;
