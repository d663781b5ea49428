// What a drain rests on: the statement never says that nothing is held while something is. Every step of a run with a hostile spool, a
// stream that loses answers, and a sender of all verdicts is compared with what is really there.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import fc from 'fast-check';
import { Registry } from 'prom-client';
import { log } from '../../process/log.ts';
import { encodeParcel, type HopId, type Parcel } from '../message/parcel.ts';
import { hopIdOf, parcelOf } from '../spool/fixtures.ts';
import { ModelSpool } from '../spool/model.ts';
import type { Spool } from '../spool/port.ts';
import { Engine } from './engine.ts';
import { Fleet } from './fleet.ts';
import type { MailMessage, Task, Verdict } from './ports.ts';

const VERDICTS: readonly Verdict[] = [
  { kind: 'reply', reply: '250 ok', phase: 'dot' },
  { kind: 'reply', reply: '450 4.2.0 later', phase: 'rcpt' },
  { kind: 'reply', reply: '550 5.1.1 gone', phase: 'rcpt' },
  { kind: 'failed', why: 'lost' },
  { kind: 'unknown', why: 'lost after the dot' },
  { kind: 'noRoom', retryAfterSeconds: 1, why: 'full' },
];

/** What happens next: each step lets one thing that waits go on, well or badly. */
interface Step {
  readonly of: 'submit' | 'commit' | 'confirm' | 'send' | 'tick';
  readonly well: boolean;
  readonly pick: number;
}
const step: fc.Arbitrary<Step> = fc.record({
  of: fc.constantFrom('submit', 'commit', 'confirm', 'send', 'tick'),
  well: fc.boolean(),
  pick: fc.nat(1000),
});

interface Waiting {
  readonly go: (well: boolean, pick: number) => void;
}

class World {
  readonly model = new ModelSpool();
  readonly commits: Waiting[] = [];
  readonly confirms: Waiting[] = [];
  readonly sends: Waiting[] = [];
  /** Taken and neither acknowledged nor given back. */
  readonly pulled = new Set<HopId>();
  /** Given back to the stream, or ended by a verdict: the pod does not answer for them any more. */
  readonly elsewhere = new Set<HopId>();
  sending = 0;
  now = 1_700_000_100_000;
  submitted = 0;
  readonly folder = mkdtempSync(join(tmpdir(), 'postfleet-statement-'));
  readonly engine: Engine;

  constructor() {
    const clock = { now: () => this.now, monotonic: () => this.now };
    this.engine = new Engine({
      ...{ pod: 'a', uid: 'u', pool: 'mail/main', clock, log, registry: new Registry() },
      spool: this.#spool(),
      memory: { remember: () => {}, knows: () => false, hasRoom: true },
      fleet: new Fleet(this.folder, log),
      sender: {
        send: (task, _, addresses) => this.#send(task, addresses.length),
        stop: async () => {},
        rest: () => {},
        connections: () => [],
      },
      publish: async () => {},
      lookupMx: async () => ({ kind: 'hosts', hosts: [{ host: 'mx.test', preference: 1 }] }),
      suppressed: async (pairs) => pairs.map(() => false),
      random: () => 0.5,
      obstacle: () => {},
    });
  }

  async tick(): Promise<void> {
    this.now += 700;
    await jest.advanceTimersByTimeAsync(700);
  }

  submit(): void {
    const parcel = parcelOf(++this.submitted, { acceptedAt: this.now - 1000 });
    this.pulled.add(parcel.hopId);
    if (!this.engine.take(this.#message(parcel), 0)) this.pulled.delete(parcel.hopId);
  }

  /** Submitted, and in no place where it would survive. */
  get lost(): readonly string[] {
    const all = Array.from({ length: this.submitted }, (_, n) => hopIdOf(n + 1));
    const isSafe = (hopId: HopId) =>
      this.pulled.has(hopId) || this.model.parcels.has(hopId) || this.elsewhere.has(hopId);
    return all.filter((hopId) => !isSafe(hopId));
  }

  /** Everything that the pod answers for at this moment, as the outside sees it. */
  get truth() {
    const entries = this.model.picture().entries.length;
    return { unacknowledged: this.pulled.size, inFlight: this.sending, entries };
  }

  #message(parcel: Parcel): MailMessage {
    const left = () => this.pulled.delete(parcel.hopId);
    return {
      ...{ data: encodeParcel(parcel), sequence: this.submitted, deliveries: 1, isGone: false },
      working: () => {},
      nak: () => {
        if (left()) this.elsewhere.add(parcel.hopId);
      },
      ackAck: () =>
        new Promise((resolve, reject) => {
          const go = (well: boolean) => {
            if (!well) return reject(new Error('no answer'));
            left();
            resolve(true);
          };
          this.confirms.push({ go });
        }),
    };
  }

  #send({ hopId, provider }: Task, count: number) {
    this.sending++;
    return new Promise<never>((resolve) => {
      const go = (_: boolean, pick: number) => {
        this.sending--;
        const verdict = VERDICTS[pick % VERDICTS.length] as Verdict;
        if (verdict.kind === 'reply' && !verdict.reply.startsWith('4')) this.elsewhere.add(hopId);
        const verdicts = Array.from({ length: count }, () => verdict);
        resolve({ verdicts, source: null, provider, host: null } as never);
      };
      this.sends.push({ go });
    });
  }

  #spool(): Spool {
    const { model } = this;
    const entries = () => model.picture().entries;
    return {
      commit: (changes) =>
        new Promise((resolve, reject) => {
          const go = (well: boolean) => {
            if (!well) return reject(new Error('the disk is full'));
            for (const change of changes) model.apply(change, this.now);
            resolve();
          };
          this.commits.push({ go });
        }),
      note: (changes, written) => {
        for (const change of changes) model.apply(change, this.now);
        written?.();
      },
      pulled: () => model.pulled,
      knows: (hopId) => model.knows(hopId, this.now),
      due: (now, limit, skip) =>
        entries()
          .filter((entry) => (entry.recipient.dueAt ?? 0) <= now && !skip(entry))
          .slice(0, limit),
      duePage: (now) => ({
        entries: entries().filter((entry) => (entry.recipient.dueAt ?? 0) <= now),
        place: null,
      }),
      nextDue: () => null,
      parcel: (hopId) => {
        const held = model.parcels.get(hopId);
        return held ? { header: held.parcel, messageBytes: 1, moving: held.moving } : null;
      },
      entriesOf: (hopId) => entries().filter((entry) => entry.hopId === hopId),
      message: (hopId) => model.parcels.get(hopId)?.parcel.message ?? Buffer.alloc(0),
      held: () => [...model.parcels.keys()],
      stats: () => {
        const { totals } = model.picture();
        return { id: 'spool-1', ...totals, freeBytes: 1, failure: null };
      },
      close: async () => {},
    };
  }
}

const settle = async () => {
  for (let turn = 0; turn < 30; turn++) await Promise.resolve();
};

test('the statement shows at every instant what is in hand, under way and in the spool', async () => {
  let held = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 80 }), async (steps) => {
      jest.useFakeTimers({ doNotFake: ['performance', 'nextTick'] });
      const world = new World();
      try {
        world.engine.start();
        for (const { of, well, pick } of steps) {
          const queue = { commit: world.commits, confirm: world.confirms, send: world.sends }[of as 'commit'];
          if (of === 'submit') world.submit();
          else if (of === 'tick') await world.tick();
          else queue?.splice(pick % Math.max(1, queue.length), 1)[0]?.go(well, pick);
          check(world);
          await settle();
          check(world);
        }
      } finally {
        jest.clearAllTimers();
        jest.useRealTimers();
        rmSync(world.folder, { recursive: true, force: true });
      }
    }),
    { numRuns: 150 },
  );
  // The run has come across states in which each number alone kept the pod from being empty.
  expect(held).toBeGreaterThan(100);

  function check(world: World): void {
    const { unacknowledged, inFlight, spool } = world.engine.statement([]);
    const { truth } = world;
    expect(world.lost).toEqual([]);
    expect(unacknowledged).toBeGreaterThanOrEqual(truth.unacknowledged);
    expect(inFlight).toBeGreaterThanOrEqual(truth.inFlight);
    expect(spool.entries).toBeGreaterThanOrEqual(truth.entries);
    if (truth.unacknowledged + truth.inFlight + truth.entries > 0) {
      held++;
      expect(unacknowledged + inFlight + spool.entries).toBeGreaterThan(0);
    }
  }
}, 60_000);
