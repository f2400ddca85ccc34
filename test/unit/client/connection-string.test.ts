import { parseConnectionString } from '../../../client/connection-string';
import { RequestError } from '../../../client/request-error';

const parse = (text: string) => parseConnectionString(text, 'source');

describe('a URI', () => {
  test.each([
    ['postgres://', {}],
    ['postgresql://h', { host: 'h' }],
    ['POSTGRES://h:5433/', { host: 'h', port: '5433' }],
    ['postgres://u@h/d', { host: 'h', user: 'u', dbname: 'd' }],
    ['postgres://u:p@h:1/d', { host: 'h', port: '1', user: 'u', password: 'p', dbname: 'd' }],
    ['postgres://u:@h', { host: 'h', user: 'u' }],
    ['postgres://[::1]:5433/d', { host: '::1', port: '5433', dbname: 'd' }],
    ['postgres://u:p@[fe80::1%25eth0]', { host: 'fe80::1%eth0', user: 'u', password: 'p' }],
    ['postgres://u@%2Fvar%2Frun%2Fpostgresql/d', { host: '/var/run/postgresql', user: 'u', dbname: 'd' }],
    ['postgres:///d?host=/tmp&port=6000', { host: '/tmp', port: '6000', dbname: 'd' }],
    [
      'postgres://h?sslmode=require&sslrootcert=%2Fa%20b.pem',
      { host: 'h', sslmode: 'require', sslrootcert: '/a b.pem' },
    ],
    ['postgres://h/d?user=u&password=p%26q', { host: 'h', dbname: 'd', user: 'u', password: 'p&q' }],
    ['postgres://h/d%2Fe%20f', { host: 'h', dbname: 'd/e f' }],
    ['postgres://h?ssl=true', { host: 'h', sslmode: 'require' }],
    ['postgres://h?application_name=x&connect_timeout=3', { host: 'h' }],
    ['postgres://Old-DB.example.COM', { host: 'Old-DB.example.COM' }],
  ])('%s', (text, fields) => expect(parse(text)).toEqual(fields));

  test.each(['p?w', 'p#w', 'p:w', 'p@w', 'p w', 'pä🐘', '%70%25'])('takes the password %s', (password) => {
    expect(parse(`postgres://u:${password}@h:1/d`)).toEqual({
      host: 'h',
      port: '1',
      user: 'u',
      password: decodeURIComponent(password),
      dbname: 'd',
    });
  });

  test.each([
    ['mysql://h/d', /no connection string/],
    ['', /no connection string/],
    ['h:5432', /no connection string/],
    ['postgres://h1,h2/d', /several hosts/],
    ['postgres://::1/d', /malformed/],
    ['postgres://h?sslcert=/x', /"sslcert" is not supported/],
    ['postgres://h?__proto__=1', /not supported/],
    ['postgres://u:100%@h', /the password in the URI holds a %/],
  ])('refuses %s', (text, message) => expect(() => parse(text)).toThrow(message));

  test('an error never shows the password', () => {
    for (const text of [
      'postgres://u:S3/x?secret@h/',
      'postgres://u:S3/x?a=1&secret@h=%',
      'postgres://u:se%cret@h',
      'postgres://u:secret@h1,h2',
      'postgre://u:secret@h',
      'password=secret x',
    ]) {
      expect.assertions(12);
      try {
        parse(text);
      } catch (error) {
        expect(error).toBeInstanceOf(RequestError);
        expect(JSON.stringify(error) + String(error)).not.toContain('cret');
      }
    }
  });
});

describe('keywords and values', () => {
  test.each([
    ['host=h port=5433 user=u', { host: 'h', port: '5433', user: 'u' }],
    [" host = h  password = 'it\\'s a \\\\ secret' ", { host: 'h', password: "it's a \\ secret" }],
    ["password=a\\ b\\'c host=h", { password: "a b'c", host: 'h' }],
    ["dbname='' host=h", { dbname: '', host: 'h' }],
  ])('%s', (text, fields) => expect(parse(text)).toEqual(fields));

  test.each(["host='h", 'host=h port', 'host=h rubbish=1'])('refuses %s', (text) =>
    expect(() => parse(text)).toThrow(RequestError),
  );
});
