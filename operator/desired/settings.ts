// What the builders need to know of the installation. Nothing in here may change with the operator's version: it enters
// pod templates, and an operator upgrade must not restart the fleet.
export interface Installation {
  readonly namespace: string;
  readonly egressNamespace: string;
  readonly image: string;
  readonly imagePullPolicy: string;
  readonly natsUrl: readonly string[];
  readonly natsReplicas: number;
  readonly natsMonitorUrl: string;
  /** Secret with `delivery-url`. */
  readonly databaseSecret: string;
  readonly identityUrl: string;
  readonly dnsServers: readonly string[];
  readonly allowedDestinations: readonly string[];
}

/** A Kubernetes object to apply: plain JSON. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly object[];
    readonly finalizers?: readonly string[];
    readonly uid?: string;
  };
  readonly [field: string]: unknown;
}
