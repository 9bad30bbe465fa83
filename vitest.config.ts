/** The test runner's settings. */
import { defineConfig } from 'vitest/config';
import { ClosingLine } from './test/house/closing-line.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // The default leaves one core idle, which on two is half of the machine.
    maxWorkers: '100%',
    reporters: ['default', new ClosingLine()],
  },
});
