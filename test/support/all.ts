/** `npm run test:all`: the full matrix and the large cases too. */
export const TEST_ALL = process.env['FLEXLIFT_TEST_ALL'] === '1';
