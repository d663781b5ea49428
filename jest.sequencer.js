import Sequencer from '@jest/test-sequencer';
import { longestFirst } from './e2e/longest-first.ts';

export default class LongestFirst extends Sequencer {
  async sort(tests) {
    return longestFirst(await super.sort(tests));
  }
}
