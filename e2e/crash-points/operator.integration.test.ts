// Walks through the operator's rows of docs/crash-points.md: a drain from two pods to one, whose operator is killed at each step.
import { OF_OPERATOR } from './operator.ts';
import { OperatorWalk } from './operator-walk.ts';
import { readRows } from './table.ts';

const expected = new Map(readRows().map(({ point, numbers }) => [point, numbers]));
let walk: OperatorWalk;

beforeAll(async () => {
  walk = await OperatorWalk.start();
}, 120_000);
afterAll(() => walk?.stop(), 60_000);

test.each(Object.entries(OF_OPERATOR))(
  '%s',
  async (point, scenario) => {
    const { replicas, moves } = await scenario(walk);
    expect([replicas, moves]).toEqual(expected.get(point));
  },
  120_000,
);
