import js from '@eslint/js';
import boundaries from 'eslint-plugin-boundaries';
import tseslint from 'typescript-eslint';

/** Folder = layer; the keys may import the values (and themselves), and nothing else of ours. */
const mayImport = {
  contract: [],
  postgres: ['contract'],
  activities: ['contract', 'postgres'],
  workflows: ['contract'],
  workers: ['contract', 'postgres', 'activities', 'workflows'],
  client: ['contract'],
  embedded: ['contract', 'postgres'],
  cli: ['contract', 'postgres', 'client', 'workers', 'embedded'],
  test: ['contract', 'postgres', 'activities', 'workflows', 'workers', 'client', 'embedded', 'cli'],
  bench: ['contract', 'postgres', 'activities', 'workflows', 'workers', 'client', 'embedded', 'cli'],
};
const layers = Object.keys(mayImport);

export default tseslint.config(
  { ignores: ['dist', 'node_modules', 'jest.config.js', 'eslint.config.mjs', '**/*.cjs'] },
  js.configs.recommended,
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { boundaries },
    settings: {
      'import/resolver': { typescript: { alwaysTryTypes: true } },
      'boundaries/elements': layers.map((layer) => ({
        type: layer,
        pattern: `${layer}/**`,
        partialMatch: false,
      })),
    },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/ban-ts-comment': ['error', { 'ts-ignore': true, 'ts-expect-error': true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', ignoreRestSiblings: true }],
      'boundaries/dependencies': [
        'error',
        {
          default: 'disallow',
          policies: [
            ...layers.map((layer) => ({
              from: { element: { type: layer } },
              allow: [layer, ...mayImport[layer]].map((type) => ({ to: { element: { type } } })),
            })),
            {
              from: { element: { type: 'workflows' } },
              allow: [{ to: { element: { type: 'activities' } }, dependency: { kind: 'type' } }],
            },
          ],
        },
      ],
    },
  },
  {
    files: ['workflows/**/*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: ['node:*', 'fs', 'net', 'path', 'pg', 'zod'],
              message: 'Workflow code is deterministic: no I/O.',
            },
          ],
        },
      ],
    },
  },
);
