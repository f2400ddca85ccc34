/** `npm run test:all`: the full matrix and the large cases too. */
export const TEST_ALL = process.env['FLEXLIFT_TEST_ALL'] === '1';

/** `it` for what only `npm run test:all` runs. */
export const itInAll = TEST_ALL ? it : it.skip;
