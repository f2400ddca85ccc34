SET LOCAL ROLE shop_owner;

-- one column each, so that a whole line of COPY is the value
CREATE TABLE corners.copy_text (value text);
INSERT INTO corners.copy_text VALUES
  (NULL), (''), ('\N'), ('\.'), ('NULL'), (E'\n'), (E'\r'), (E'\r\n'), (E'\t'), ('\'), ('\\'), ('"'), (''''), (','), (' '),
  (E'\b\f\v'), ('\n'), ('\x41'), (E'line one\n\\.\nline two'), (E'\u2028'), (E'\uFEFF'), (E'\u200B'), (E'\U0010FFFF'), ('العربية'),
  (E'a\u0301\u0327'), ('👩‍👩‍👧‍👦'), (chr(127)), (chr(1)), (chr(31)), (E'\u0085'), ('COPY corners.copy_text FROM stdin;'), ('--'), ('/*'), ('$$');
CREATE TABLE corners.copy_bytes (value bytea);
INSERT INTO corners.copy_bytes SELECT decode(lpad(to_hex(n), 2, '0'), 'hex') FROM generate_series(0, 255) AS n;
INSERT INTO corners.copy_bytes VALUES (NULL), (''), (decode(repeat('00', 5000), 'hex'));
CREATE TABLE corners.copy_nulls (a integer, b text, c bytea, d integer[]);
INSERT INTO corners.copy_nulls SELECT FROM generate_series(1, 3);
CREATE TABLE corners.copy_boolean (value boolean);
INSERT INTO corners.copy_boolean VALUES (true), (false), (NULL);
