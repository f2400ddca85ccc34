/** Whose server a host name belongs to, in the words of Azure's `sourceType`; most particular first. */
const BY_HOST: [RegExp, string][] = [
  [/\.cluster-[^.]+\.[^.]+\.rds\.amazonaws\.com$/, 'AWS_AURORA'],
  [/\.rds\.amazonaws\.com(\.cn)?$/, 'AWS_RDS'],
  [/\.compute(-1)?\.amazonaws\.com$/, 'AWS_EC2'],
  [/\.postgres\.database\.azure\.com$/, 'PostgreSQLFlexibleServer'],
  [/\.postgres\.cosmos\.azure\.com$/, 'PostgreSQLCosmosDB'],
  [/\.cloudapp\.azure\.com$/, 'AzureVM'],
  [/\.supabase\.(co|com)$/, 'Supabase_PostgreSQL'],
  [/\.db\.ondigitalocean\.com$/, 'Digital_Ocean_PostgreSQL'],
  [/\.db\.postgresbridge\.com$/, 'Crunchy_PostgreSQL'],
];

/** A guess by the host's name, for search and reports only; `OnPremises` where it tells nothing. */
export function sourceTypeOf(host: string): string {
  return BY_HOST.find(([pattern]) => pattern.test(host.toLowerCase()))?.[1] ?? 'OnPremises';
}
