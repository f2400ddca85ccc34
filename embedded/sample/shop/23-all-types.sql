SET LOCAL ROLE shop_owner;

-- the built-in types with their edges, one row per edge
CREATE TABLE corners.all_types (
  id integer PRIMARY KEY,
  a_smallint smallint, a_bigint bigint, a_numeric numeric, a_numeric_scaled numeric(20, 5),
  a_real real, a_double double precision, a_money money,
  a_char character(5), a_varchar character varying(10), a_text text, a_name name, an_internal_char "char",
  a_bytea bytea, a_boolean boolean,
  a_date date, a_time time, a_timetz time with time zone, a_timestamp timestamp, a_timestamptz timestamptz,
  an_interval interval, a_time_of_seconds time(0), an_interval_of_days interval day to second(3),
  a_uuid uuid, a_json json, a_jsonb jsonb, an_xml xml,
  an_inet inet, a_cidr cidr, a_macaddr macaddr, a_macaddr8 macaddr8, a_bit bit(5), a_varbit bit varying,
  a_point point, a_line line, an_lseg lseg, a_box box, a_path path, a_polygon polygon, a_circle circle,
  a_tsvector tsvector, a_tsquery tsquery,
  an_int4range int4range, an_int8range int8range, a_numrange numrange, a_tsrange tsrange, a_tstzrange tstzrange, a_daterange daterange,
  an_oid oid, an_xid xid, a_cid cid, a_tid tid, an_lsn pg_lsn, a_snapshot txid_snapshot, a_cursor refcursor
);
INSERT INTO corners.all_types (id) VALUES (0);
INSERT INTO corners.all_types VALUES (
  1, 32767, 9223372036854775807, '1.000', 99999999999999.99999,
  3.40282347e38, 1.7976931348623157e308, '1234.56',
  'a', 'ten chars!', E'tab\t newline\n return\r \\ "quoted" ''single'' 🐘 e\u0301', 'name', 'c',
  '\x00ff005c4e5c2e0a', true,
  'infinity', '24:00:00', '23:59:59.999999+15:59', 'infinity', 'infinity',
  '178000000 years', '23:59:59.6', '1 day 02:03:04.5678',
  'ffffffff-ffff-ffff-ffff-ffffffffffff', '{"b" : 1,  "a":1, "a":2, "\u0041": "\u0000"}', '{"a": 1e10, "b": [1.10, null, "🐘\\n"]}',
  '<?xml version="1.0"?><a b="c">&lt;ü<!-- x --></a>',
  '::ffff:1.2.3.4/96', '10.1.0.0/16', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', '10101', '',
  '(1.5,-0)', '{1,-1,0}', '[(0,0),(1e-300,1e300)]', '(2,2),(1,1)', '[(0,0),(1,1),(2,0)]', '((0,0),(1,1),(2,0))', '<(0,0),2.5>',
  $$'a' 'it''s':1A,2B 'b c':16383$$, $$'a' & ( 'b':*AB | ! 'c d' ) <-> 'e'$$,
  '[1,10)', '(,9223372036854775807)', '[1.10,1.2)', '(,)', '[2024-01-01 00:00+00,infinity)', 'empty',
  4294967295, '4294967295', '7', '(4294967294,65535)', 'FFFFFFFF/FFFFFFFF', '10:20:10,14,15', 'portal "x"'
);
INSERT INTO corners.all_types VALUES (
  2, -32768, -9223372036854775808, 'NaN', 'NaN',
  'NaN', 'NaN', '-92233720368547758.08',
  '', '', '', '', '',
  '', false,
  '4713-01-01 BC', '00:00:00', '00:00:00-15:59', '4713-01-01 00:00:00 BC', '4713-01-01 00:00:00+00 BC',
  '-178000000 years', '00:00', '-1 day +00:00:00.001',
  '00000000-0000-0000-0000-000000000000', '""', '""', 'text only',
  '0.0.0.0/0', '::/0', '00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff:ff:ff', '00000', '1',
  '(NaN,Infinity)', '{0,1,-3.5}', '[(1,1),(1,1)]', '(0,0),(0,0)', '((0,0))', '((1e10,-1e-10))', '<(1,1),0>',
  '', '', 'empty', 'empty', 'empty', 'empty', 'empty', '(,)',
  0, '0', '0', '(0,0)', '0/0', '1:1:', ''
);
INSERT INTO corners.all_types (id, a_numeric, a_real, a_double, a_date, a_timestamp, a_timestamptz, an_interval, a_varbit, a_json, a_jsonb)
VALUES
  (3, '0.00000', '-0', '-0', '5874897-12-31', '294276-12-31 23:59:59.999999', '294276-12-31 23:59:59.999999+00', '0', B'1010101010101010101', ' null ', 'null'),
  (4, '-0.1e-200', '-Infinity', '-Infinity', '-infinity', '-infinity', '-infinity', '1 mon -1 day 00:00:00.000001', NULL, '[1 , 2]', '[]'),
  (5, '1e-16000', 'Infinity', 'Infinity', '0001-12-31 BC', '0001-01-01 00:00:00', '1900-01-01 00:00:00+00', '-2147483648 mons', NULL, '1E5', '1E5'),
  (6, '12345678901234567890.0123456789', 0.1, 0.1, '2024-02-29', '2024-03-31 02:30:00', '2024-10-27 01:30:00+00', '1 year 1 mon 1 day', NULL, '1.0', '1.0'),
  (7, ('1' || repeat('0', 131071))::numeric, 1.17549435e-38, 2.2250738585072014e-308, '1582-10-04', '1999-12-31 23:59:60', '1883-11-18 12:03:58+00', '3 days', NULL, '{}', '{"": {"": []}}'),
  (8, 1e131071 + 1e-16383, 16777217, 9007199254740993, NULL, NULL, NULL, NULL, NULL, 'true', 'true');

-- an array of each family, with NULLs, several dimensions, other lower bounds
CREATE TABLE corners.all_arrays (
  id integer PRIMARY KEY,
  integers integer[], numerics numeric[], texts text[], byteas bytea[], dates date[], stamps timestamptz[], uuids uuid[], jsons jsonb[],
  points point[], ranges int4range[], booleans boolean[], inets inet[], names name[], intervals interval[], bits bit(3)[],
  enums shop.order_status[], domains shop.amount[], composites shop.parcel[], user_ranges shop.time_range[], citexts extensions.citext[],
  hstores extensions.hstore[], trees extensions.ltree[], labels corners.labels, fixed integer[3][3]
);
INSERT INTO corners.all_arrays (id) VALUES (0);
INSERT INTO corners.all_arrays VALUES (
  1, '[0:1][-1:0]={{1,2},{3,NULL}}', '{NaN,1.10,NULL}', '{"",NULL,"NULL","a,b","\"\\{}",🐘}', ARRAY['\x00', '']::bytea[],
  '{infinity,0044-03-15 BC}', '{-infinity,2024-01-01 00:00+00}', '{00000000-0000-0000-0000-000000000000}', ARRAY['{"a": "}"}', 'null', NULL]::jsonb[],
  '{"(1,2)","(-0,0)"}', '{empty,"[1,2)","(,)"}', '{t,NULL,f}', '{::1,10.0.0.0/8}', '{a,"b c"}', '{"1 day","-1 mon"}', '{101,000}',
  '{returned,NULL,refused}', '{0,1.50}', ARRAY[ROW(1, ROW(1, NULL, 2.5), '{}', 'paid'), NULL]::shop.parcel[],
  '{"[08:00,12:00)",empty}', '{Abc,aBC}', ARRAY['a=>1, b=>NULL', '']::extensions.hstore[], '{a.b,a}', '{x,"y z"}', '{1,2}');
INSERT INTO corners.all_arrays VALUES (
  2, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
  '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{{{1}}}');

-- the types of this database
CREATE TABLE corners.own_types (
  id integer PRIMARY KEY,
  status shop.order_status, size corners."Größe", sku shop.sku, deep shop.big_discount, dims shop.dimensions, flat corners.flat_dimensions,
  parcel shop.parcel, hours shop.time_range, open shop.opening_hours, names corners.name_range, warm shop.celsius, mail shop.email,
  whole_row shop.settings, tree extensions.ltree, question extensions.lquery, pairs extensions.hstore
);
INSERT INTO corners.own_types (id) VALUES (0);
INSERT INTO corners.own_types VALUES
  (1, 'refused', 'it''s big', 'ZZ-000000', 50.01, '(,,)', '(1,2,3)', '(,"(1,2,3)","{NULL}",)', '[00:00,24:00)', '(,)', '["a,b",🐘)',
   '(-273.15)', 'A@b', '(x,"{""a"": 1}",infinity)', '', 'a.*{2}.b', '"k\"ey"=>"va,lue", n=>NULL'),
  (2, 'cart', '"X"L', NULL, 100, NULL, NULL, '(0,,{},cart)', 'empty', '[09:00:00.5,]', 'empty', '()', NULL, '(,,)', 'a.b.c', '!x|y.*', '');

-- names of objects by oid: their number on another server differs; and a type that has no binary form
CREATE TABLE corners.object_names (
  id integer PRIMARY KEY, rel regclass, typ regtype, fun regprocedure, proc regproc, op regoperator, cfg regconfig, dict regdictionary,
  role regrole, nsp regnamespace, classes regclass[], acl aclitem
);
INSERT INTO corners.object_names VALUES
  (1, 'shop."Order Lines"', 'shop.parcel[]', 'shop.is_ean(text)', 'shop.to_celsius', 'shop.=~=(shop.address,shop.address)', 'shop.product_search',
   'shop.no_stop_words', 'shop_owner', '"Back Office"', '{pg_catalog.pg_class,corners.wide,NULL}', 'shop_app=r/shop_owner'),
  (2, 'pg_catalog.pg_class', 'integer', 'pg_catalog.lower(text)', 'pg_catalog.now', 'pg_catalog.=(integer,integer)', 'pg_catalog.english',
   'pg_catalog.simple', 'shop_app', 'pg_catalog', '{}', '=U/shop_owner'),
  (3, '-', '-', '-', '-', '0', '-', '-', '-', '-', NULL, NULL);
