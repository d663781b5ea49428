// What delivery counts. Each recipient that ends is counted once, by how it ended.
import { Counter, Gauge, Histogram, type Registry, register } from 'prom-client';

const BY_RESULT = ['pool', 'provider', 'address', 'result'] as const;

/** The numbers that gauges read when they are scraped. */
export interface GaugeSources {
  readonly queueRecipients: () => number;
  readonly oldestAgeSeconds: () => number;
  readonly inFlight: () => number;
  readonly inHand: () => number;
  readonly spoolBytes: () => number;
  readonly spoolFreeBytes: () => number;
  readonly connections: () => Iterable<{ readonly provider: string; readonly source: string }>;
}

interface Reading {
  readonly name: string;
  readonly help: string;
  readonly read: () => number;
}

export class DeliveryMetrics {
  readonly recipients: Counter<(typeof BY_RESULT)[number]>;
  readonly attempts: Counter<(typeof BY_RESULT)[number]>;
  readonly seconds: Histogram<'pool'>;
  readonly handedOver: Counter<'pool'>;
  readonly possiblyRepeated: Counter<'pool'>;
  readonly #pool: string;
  readonly #registry: Registry;

  constructor(pool: string, registry: Registry = register) {
    this.#pool = pool;
    this.#registry = registry;
    const registers = [registry];
    this.recipients = new Counter({
      name: 'postfleet_delivery_recipients_total',
      help: 'Recipients that came to an end (delivered, bounced, expired, suppressed) or wait again (deferred).',
      labelNames: BY_RESULT,
      registers,
    });
    this.attempts = new Counter({
      name: 'postfleet_delivery_attempts_total',
      help: 'Recipients attempted: reply, failed (no reply), unknown (lost after the final dot), no_room, aborted.',
      labelNames: BY_RESULT,
      registers,
    });
    this.seconds = new Histogram({
      name: 'postfleet_delivery_seconds',
      help: 'From acceptance to delivery.',
      labelNames: ['pool'],
      buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 43_200],
      registers,
    });
    this.handedOver = new Counter({
      name: 'postfleet_handover_parcels_total',
      help: 'Parcels handed over to other pods.',
      labelNames: ['pool'],
      registers,
    });
    this.possiblyRepeated = new Counter({
      name: 'postfleet_possibly_repeated_total',
      help: 'Recipients who may have the message and get it again: lost after the final dot, or of an owner that could not be fenced.',
      labelNames: ['pool'],
      registers,
    });
    this.handedOver.inc({ pool }, 0);
    this.possiblyRepeated.inc({ pool }, 0);
  }

  /** Registers the gauges. */
  observe(sources: GaugeSources): void {
    const { queueRecipients, oldestAgeSeconds, inFlight, inHand, spoolBytes, spoolFreeBytes } = sources;
    const gauges: readonly Reading[] = [
      {
        name: 'postfleet_delivery_queue_recipients',
        help: 'Recipients in the spool.',
        read: queueRecipients,
      },
      {
        name: 'postfleet_delivery_oldest_age_seconds',
        help: 'Age of the oldest in the spool, since its acceptance.',
        read: oldestAgeSeconds,
      },
      { name: 'postfleet_delivery_in_flight', help: 'Attempts under way.', read: inFlight },
      {
        name: 'postfleet_delivery_in_hand_parcels',
        help: 'Parcels pulled and not yet acknowledged.',
        read: inHand,
      },
      { name: 'postfleet_spool_bytes', help: 'Bytes of the spool.', read: spoolBytes },
      { name: 'postfleet_spool_free_bytes', help: 'Bytes free on the volume.', read: spoolFreeBytes },
    ];
    for (const reading of gauges) this.#gauge(reading);
    const pool = this.#pool;
    new Gauge({
      name: 'postfleet_connections_open',
      help: 'Open SMTP connections.',
      labelNames: ['pool', 'provider', 'address'],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const { provider, source } of sources.connections())
          this.inc({ pool, provider, address: source });
      },
    });
  }

  #gauge({ name, help, read }: Reading): void {
    const pool = this.#pool;
    new Gauge({
      name,
      help,
      labelNames: ['pool'],
      registers: [this.#registry],
      collect() {
        this.set({ pool }, read());
      },
    });
  }
}
