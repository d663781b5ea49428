// The internet put together: zones, DNS server, mail exchangers, recorder.
import type { Behaviour } from './behaviour.ts';
import { type WebPki, webPki } from './certificates.ts';
import { DnsServer } from './dns.ts';
import { MailExchanger } from './mx.ts';
import { Openings } from './openings.ts';
import { Recorder } from './recorder.ts';
import { Sightings } from './sightings.ts';
import { recordsOf, type World } from './world.ts';
import { Zones } from './zone.ts';

export class Internet {
  readonly world: World;
  readonly zones = new Zones();
  readonly recorder: Recorder;
  readonly dns: DnsServer;
  readonly #sightings = new Sightings();
  readonly #openings = new Openings();
  readonly #exchangers = new Map<string, MailExchanger>();
  #pki: WebPki | null = null;

  /** `folder` takes the records and messages. */
  constructor(world: World, folder: string) {
    this.world = world;
    this.recorder = new Recorder(folder);
    this.zones.set(recordsOf(world));
    this.dns = new DnsServer(this.zones);
  }

  async start(): Promise<void> {
    const { dns, hosts, smtpPort } = this.world;
    this.#pki = await webPki();
    await this.dns.listen(dns.address, dns.port);
    for (const { hostname, address, behaviour } of hosts) {
      const certificate = await this.#pki.contextOf(hostname);
      const shared = {
        ...{ recorder: this.recorder, sightings: this.#sightings, openings: this.#openings },
        certificate,
      };
      const exchanger = new MailExchanger({ hostname, address, port: smtpPort, behaviour, ...shared });
      await exchanger.listen();
      this.#exchangers.set(hostname, exchanger);
    }
  }

  /** The root that signs the good certificates, PEM. */
  get ca(): string {
    return this.#pki?.ca ?? '';
  }

  /** Sets the behaviour of an MX host, or of all hosts of a domain. @throws RangeError when there is none of that name */
  setBehaviour(name: string, behaviour: Behaviour): void {
    const hosts = this.world.domains.find(({ domain }) => domain === name)?.mx ?? [];
    const meant = [name, ...hosts].flatMap((host) => this.#exchangers.get(host) ?? []);
    if (meant.length === 0) throw new RangeError(`nobody is called ${name}`);
    for (const exchanger of meant) exchanger.behaviour = behaviour;
  }

  /** Most connections open at one time, by MX host or provider, and source. */
  get peaks(): Record<string, Record<string, number>> {
    return this.#openings.peaks;
  }

  /** Records, sightings, behaviour and DNS as at the start. */
  async reset(): Promise<void> {
    for (const { hostname, behaviour } of this.world.hosts) this.setBehaviour(hostname, behaviour);
    this.#openings.clear();
    for (const { name } of this.zones.records) this.zones.remove(name);
    this.zones.set(recordsOf(this.world));
    this.zones.setFaults([]);
    this.#sightings.clear();
    await this.recorder.reset();
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#exchangers.values()].map((exchanger) => exchanger.close()));
    await this.dns.close();
    await this.recorder.close();
  }
}
