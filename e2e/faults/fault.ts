// What a fault is.
import type { Random } from '../internet/random.ts';
import type { Role } from './processes.ts';
import type { Scene, Undo } from './scene.ts';

/** `control`: the API server; `pool`: the SendingPool's replicas; `internet`: other people's mail servers. */
export type Part = Role | 'control' | 'pool' | 'internet';

export interface Injected {
  /** What was done to whom, for the log. */
  readonly detail: string;
  /** How long it stays before it is undone. */
  readonly holdSeconds: number;
  readonly undo: Undo;
  /** When what may cost a reply began, ms since the epoch; absent: with the step. */
  readonly troubleFrom?: number;
}

export interface Fault {
  readonly name: string;
  readonly what: string;
  /** What it troubles or needs; two faults of a pair have nothing in common. */
  readonly parts: readonly Part[];
  /**
   * Whether a reply to a final dot may get lost by it (RFC 1047): delivery or egress ends or hangs, they are
   * cut apart, or the mail server itself says nothing.
   * Only these may explain a second copy.
   */
  readonly mayRepeat: boolean;
  /** Whether a delivery process ends by it, so that nobody counts what it may have repeated. */
  readonly senderDies?: boolean;
  inject(scene: Scene, random: Random): Promise<Injected>;
}

export const nothingToUndo: Undo = async () => {};

/** Whole seconds from `least` to `most`. */
export const between = (random: Random, least: number, most: number): number =>
  least + random.below(most - least + 1);
