// Walks through docs/crash-points.md: each row kills a real process at that place, starts it again, and compares what became of the mail.
import { ALONE, IN_LANES } from './delivery.ts';
import { readRows } from './table.ts';
import { type Lane, type Outcome, type Scenario, Walk } from './walk.ts';

const LANES = 3;
const expected = new Map(readRows().map(({ point, numbers }) => [point, numbers]));
const outcomes = new Map<string, Promise<Outcome>>();
let walk: Walk;

/** One after the other; a row that failed does not keep the next from being walked. */
async function inTurn(
  lane: Lane,
  rows: readonly (readonly [string, Scenario])[],
  before?: Promise<unknown>,
): Promise<void> {
  let last: Promise<unknown> = before ?? Promise.resolve();
  for (const [point, scenario] of rows) {
    const outcome = last.then(() => scenario(lane));
    last = outcome.catch(() => {});
    outcomes.set(point, outcome);
  }
  await last;
}

beforeAll(async () => {
  walk = await Walk.start(LANES);
  const rows = Object.entries(IN_LANES);
  const lanes = Array.from({ length: LANES }, (_, n) =>
    inTurn(
      walk.lane(n),
      rows.filter((_, at) => at % LANES === n),
    ),
  );
  void inTurn(walk.lane(0), Object.entries(ALONE), Promise.all(lanes));
}, 240_000);
afterAll(() => walk?.stop(), 60_000);

test.each([...Object.keys(IN_LANES), ...Object.keys(ALONE)])(
  '%s',
  async (point) => {
    const outcome = await outcomes.get(point);
    expect([outcome?.copies, outcome?.counted]).toEqual(expected.get(point));
  },
  180_000,
);
