// A live view: on a terminal a line that is written over, elsewhere a line every few seconds.

const QUIET_EVERY_MS = 5000;

export class Progress {
  readonly #started = performance.now();
  readonly #live = process.stdout.isTTY === true;
  #lastQuiet = 0;
  #open = false;

  get elapsed(): string {
    return `${((performance.now() - this.#started) / 1000).toFixed(0).padStart(4)} s`;
  }

  /** A step that stays on the screen. */
  step(text: string): void {
    this.#clear();
    console.log(`${this.elapsed}  ${text}`);
  }

  /** The state now; replaced by the next one. */
  show(text: string): void {
    const now = performance.now();
    if (this.#live) {
      this.#clear();
      process.stdout.write(`${this.elapsed}  ${text}`.slice(0, (process.stdout.columns ?? 120) - 1));
      this.#open = true;
    } else if (now - this.#lastQuiet >= QUIET_EVERY_MS) {
      this.#lastQuiet = now;
      console.log(`${this.elapsed}  ${text}`);
    }
  }

  #clear(): void {
    if (this.#open) process.stdout.write('\r\x1b[2K');
    this.#open = false;
  }
}
