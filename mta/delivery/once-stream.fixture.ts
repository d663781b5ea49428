// The stream of once.test.ts: one shard without a server, which delivers when it is told to.

interface Stored {
  readonly seq: number;
  readonly priorityClass: string;
  readonly data: Uint8Array;
  isOut: boolean;
  deliveries: number;
}
interface Fetch {
  readonly priorityClass: string;
  readonly give: (message: object) => void;
  left: number;
}

/** The stream of the one shard, as JetStream keeps it: a window of ids that it can forget, redelivery, explicit acknowledgement. */
export class Stream {
  readonly stored = new Map<number, Stored>();
  readonly window = new Set<string>();
  readonly fetches = new Set<Fetch>();
  #seq = 0;

  publish(data: Uint8Array, priorityClass: string, messageId: string): void {
    if (this.window.has(messageId)) return;
    this.window.add(messageId);
    const seq = ++this.#seq;
    this.stored.set(seq, { seq, priorityClass, data, isOut: false, deliveries: 0 });
  }

  /** Hands one message that is not out to a pull that waits for it; false when there is none. */
  deliver(pick: number): boolean {
    const ready = [...this.stored.values()].filter(({ isOut }) => !isOut);
    const message = ready[pick % Math.max(1, ready.length)];
    const fetch = [...this.fetches].find((one) => one.priorityClass === message?.priorityClass);
    if (!message || !fetch) return false;
    message.isOut = true;
    message.deliveries++;
    const info = { streamSequence: message.seq, deliveryCount: message.deliveries };
    fetch.give({ data: message.data, info, reply: String(message.seq) });
    return true;
  }

  /** `ack_wait` is over for one that is out. */
  expire(pick: number): void {
    const out = [...this.stored.values()].filter(({ isOut }) => isOut);
    const message = out[pick % Math.max(1, out.length)];
    if (message) message.isOut = false;
  }

  said(seq: number, payload: string): void {
    const message = this.stored.get(seq);
    if (payload === '+ACK') this.stored.delete(seq);
    else if (message && payload.startsWith('-NAK')) message.isOut = false;
  }

  fetch(priorityClass: string, max: number, expires: number) {
    const queue: object[] = [];
    let wake = Promise.withResolvers<void>();
    let over = false;
    const stop = () => {
      over = true;
      this.fetches.delete(fetch);
      clearTimeout(timer);
      wake.resolve();
    };
    const give = (message: object) => {
      queue.push(message);
      if (--fetch.left === 0) stop();
      wake.resolve();
    };
    const fetch: Fetch = { priorityClass, left: max, give };
    const timer = setTimeout(stop, expires);
    this.fetches.add(fetch);
    const iterate = async function* () {
      for (;;) {
        for (let next = queue.shift(); next; next = queue.shift()) yield next;
        if (over) return;
        await wake.promise;
        wake = Promise.withResolvers<void>();
      }
    };
    return Object.assign(iterate(), { stop });
  }
}
