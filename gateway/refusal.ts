/** What was asked cannot be done, and the message tells people why; not a defect of ours. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly expected = true;
}
