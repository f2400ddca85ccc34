/** `host:port` of a Temporal server with the namespace `default`: set by the global setup, or by hand. */
export const TEMPORAL_VARIABLE = 'FLEXLIFT_TEST_TEMPORAL';

export function testTemporalAddress(): string {
  const address = process.env[TEMPORAL_VARIABLE];
  if (address === undefined || address === '')
    throw new Error(`${TEMPORAL_VARIABLE} names no Temporal server`);
  return address;
}
