import { Counter, Gauge, Histogram } from 'prom-client';

export const messages = new Counter({
  name: 'postfleet_ingress_messages_total',
  help: 'Messages by result: accepted, duplicate, refused (reason), unknown',
  labelNames: ['result', 'reason', 'pool'],
});
export const recipients = new Counter({
  name: 'postfleet_ingress_recipients_total',
  help: 'Recipients by result: accepted, refused',
  labelNames: ['result', 'pool'],
});
export const bytes = new Counter({
  name: 'postfleet_ingress_bytes_total',
  help: 'Octets of accepted messages as they go out',
  labelNames: ['pool'],
});
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60];
export const acceptSeconds = new Histogram({
  name: 'postfleet_ingress_accept_seconds',
  help: 'From the whole message received to its publish confirmed',
  buckets: SECONDS,
});
export const dkimSeconds = new Histogram({
  name: 'postfleet_ingress_dkim_seconds',
  help: 'Signing a message with all keys of its domain',
  buckets: SECONDS,
});
export const publishRepeats = new Counter({
  name: 'postfleet_ingress_publish_repeats_total',
  help: 'Publishes repeated because the outcome of the one before was unknown or not yet possible',
});
export const bounces = new Counter({
  name: 'postfleet_ingress_bounces_total',
  help: 'Bounces asked for by delivery, by result: published, repeated, dropped, later',
  labelNames: ['result'],
});
export const authFailures = new Counter({
  name: 'postfleet_ingress_auth_failures_total',
  help: 'Failed authentications',
  labelNames: ['protocol'],
});

/** `count` is asked at each scrape. */
export function observeSessions(protocol: string, count: () => number): void {
  sessions.set(protocol, count);
}
const sessions = new Map<string, () => number>();
new Gauge({
  name: 'postfleet_ingress_sessions',
  help: 'Open sessions',
  labelNames: ['protocol'],
  collect() {
    for (const [protocol, count] of sessions) this.set({ protocol }, count());
  },
});
