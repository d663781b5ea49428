// `unit` needs nothing, `integration` starts real servers on loopback, `e2e` and `scenarios` a real cluster; `make test` runs all but
// the last, which are too long for every change.
const common = {
  extensionsToTreatAsEsm: ['.ts'],
  testEnvironment: 'node',
  transform: { '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2024', parser: { syntax: 'typescript' } } }] },
  modulePathIgnorePatterns: ['<rootDir>/.cache/', '<rootDir>/bench/out/'],
};
const level = (displayName, testMatch, testPathIgnorePatterns = []) => ({
  ...common,
  displayName,
  testMatch,
  testPathIgnorePatterns: ['/node_modules/', ...testPathIgnorePatterns],
});

export default {
  testTimeout: 30_000,
  testSequencer: './jest.sequencer.js',
  projects: [
    level('unit', ['<rootDir>/**/*.test.ts'], ['\\.(integration|e2e|scenario)\\.test\\.ts$']),
    level('integration', ['<rootDir>/**/*.integration.test.ts']),
    level('e2e', ['<rootDir>/e2e/**/*.e2e.test.ts']),
    level('scenarios', ['<rootDir>/e2e/**/*.scenario.test.ts']),
  ],
};
