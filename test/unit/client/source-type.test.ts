import { sourceTypeOf } from '../../../client/source-type';

test.each([
  ['shop.c9akciq32.eu-west-1.rds.amazonaws.com', 'AWS_RDS'],
  ['shop.cluster-c9akciq32.eu-west-1.rds.amazonaws.com', 'AWS_AURORA'],
  ['SHOP.postgres.database.azure.com', 'PostgreSQLFlexibleServer'],
  ['rds.amazonaws.com.example.org', 'OnPremises'],
  ['10.1.2.3', 'OnPremises'],
])('%s is %s', (host, type) => {
  expect(sourceTypeOf(host)).toBe(type);
});
