// Giving stranded mail up on purpose. The annotation has to name each claim and how many recipients are on it, so that it
// says what is at stake and cannot be copied from somewhere blindly. All of it is right, or nothing is done. Pure.
import type { Stranded } from '../../resources/kinds.ts';
import { GIVE_UP_ANNOTATION } from '../desired/names.ts';

export interface GiveUp {
  readonly accepted: readonly Stranded[];
  /** Why nothing is given up. */
  readonly refusals: readonly string[];
}

/** What the annotation has to say for one stranded spool. */
export const giveUpText = ({ volume, queued }: Pick<Stranded, 'volume' | 'queued'>): string =>
  `${volume}=${queued ?? 'unknown'}`;

export function decideGiveUp(annotation: string | undefined, stranded: readonly Stranded[]): GiveUp {
  const wanted = (annotation ?? '').split(',').map((part) => part.trim());
  const answers = [...new Set(wanted.filter(Boolean))].map((part) => judge(part, stranded));
  const refusals = answers.filter((answer) => typeof answer === 'string');
  const accepted = answers.filter((answer) => typeof answer !== 'string');
  return { accepted: refusals.length === 0 ? accepted : [], refusals };
}

function judge(part: string, stranded: readonly Stranded[]): Stranded | string {
  const [volume = ''] = part.split('=');
  const found = stranded.find((one) => one.volume === volume);
  const here = `${GIVE_UP_ANNOTATION} says "${part}"`;
  if (!found) return `${here}, but ${volume} is not stranded; nothing was given up`;
  // It may still be sending what would be given up, and its volume may come back with it.
  if (found.why === 'NodeSilent')
    return `${here}, but its node may only be cut off: delete the node, or taint it node.kubernetes.io/out-of-service, when it is off for certain`;
  if (found.why === 'NodeGone') return `${here}, but its pod has not ended yet; it is tried again then`;
  if (part !== giveUpText(found))
    return `${here}, but at stake is "${giveUpText(found)}"; nothing was given up`;
  return found;
}
