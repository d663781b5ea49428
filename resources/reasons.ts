// The one table of condition types and of reasons, which conditions and events share. docs/resources.md is made from it.

export const CONDITION_TYPES = {
  Ready: 'The resource does what it says.',
  Reconciling: 'Work is under way and will end by itself.',
  Stalled: 'Work cannot go on until somebody changes something; the message says what.',
  Drained: 'SendingPool: no pod is leaving (True), one is (False), or it cannot be known (Unknown).',
  DurableStorage: "SendingPool: spooled mail survives the loss of a node, as the pool's volumes can move.",
  VolumesSized: 'SendingPool: each spool volume has the size that storage.size asks for.',
  AddressesHeld: 'IPPool: each address is held by an egress pod.',
  DNSVerified: 'SendingDomain: the records that it needs are seen in DNS.',
  KeysReady: 'SendingDomain: each DKIM key exists and can sign.',
} as const;
export type ConditionType = keyof typeof CONDITION_TYPES;

export const REASONS = {
  // all is well, or on the way
  AsExpected: 'Everything is as the resource says.',
  WaitingForPods: 'Pods are not ready yet.',
  WaitingForNats: 'Streams, consumers or buckets are not made yet.',
  RollingOut: 'A new pod template reaches the pods, one at a time.',
  ScalingUp: 'Pods are added.',
  // references and specs
  InvalidSpec: 'The spec breaks a rule; the last good one stays in force.',
  PoolNotFound: 'The SendingPool that poolRef names is not there.',
  PolicyNotFound: 'The QueuePolicy that queuePolicyRef names is not there; the last good one stays in force.',
  IPPoolNotFound: 'The IPPool that ipPoolRef names is not there.',
  DomainInTwoResources: 'Another SendingDomain, older than this, has the same domain.',
  AddressInTwoPools: 'Another IPPool, older than this, has the same address.',
  NotUsed: 'No SendingPool uses it.',
  // the bus
  NatsUnavailable: 'NATS cannot be reached; what is running goes on with what it knows.',
  NatsNotDurable: 'NATS acknowledges before it syncs, or has fewer replicas than the profile promises.',
  SnapshotWritten: 'The configuration was handed to the mail pods.',
  SnapshotFailed: 'The configuration could not be handed to the mail pods; they keep the last one.',
  // pods, nodes, volumes
  PodsNotReady: 'Some pods that were ready are not.',
  PodLost: 'A pod is gone together with its node.',
  PodUnschedulable: 'No node takes a pod.',
  LocalVolume: 'Volumes cannot leave their node: spooled mail is lost or stranded with it.',
  Stranded: 'Mail is on a volume that no pod can reach.',
  VolumeKept: 'The volume of a pod that left, proven empty, was kept.',
  VolumeDeleted: 'The volume of a pod that left, proven empty, was deleted.',
  VolumeNotEmpty: 'A volume was kept because it is not proven empty.',
  VolumeGrowing: 'A volume is being enlarged.',
  VolumeCannotGrow:
    'A volume is smaller than storage.size and its storage class cannot enlarge it; mail flows all the same.',
  // draining
  Draining: 'A pod is leaving and hands its mail over.',
  Drained: 'A pod has left with nothing in it.',
  DrainStarted: 'A pod was asked to leave.',
  DrainCancelled: 'A pod that was leaving stays.',
  DrainBlocked: 'A pod cannot leave now; the message says why.',
  Cordoned: 'A pod takes no new mail.',
  HandingOver: 'A pod hands its spool to the shards of others.',
  NoRoom: 'The other pods have less than 1.2 times the space that the leaving pod needs.',
  NoPeer: 'There is no other pod to hand mail to; the last one waits until it is empty.',
  NotEmpty: 'The pod still holds mail.',
  Unreachable: 'A pod does not say how much it holds; unknown is not empty.',
  StaleStatement: "The pod's statement is older than the cordon, or of another incarnation.",
  RolloutUnderWay: 'No pod leaves while a rollout runs.',
  PreviousLeaving: 'The pod that left before has not ended yet; one pod leaves at a time.',
  PodMissing: 'The pod that is to leave is not there to say what its volume holds.',
  NotReassigned: 'A pod that restarted does not have its shards back yet.',
  NotAssigned: 'There is no assignment of shards yet.',
  NotCordoned: 'The pod has not taken in that it is to leave.',
  OldRevision: 'The statement was made before the last assignment.',
  WrongUid: 'The statement is of another incarnation of the pod.',
  NumberMissing: 'The statement lacks a number; a missing number is not zero.',
  HoldsShards: 'The pod has shards to give up.',
  Unacknowledged: 'The pod has pulled parcels that it has not acknowledged yet.',
  InFlight: 'The pod has SMTP attempts under way.',
  EventsUnsent: 'The pod has events to send.',
  ScaledDown: 'Replicas were lowered by one.',
  Deleting: 'The resource is being deleted: intake is closed, its mail is leaving.',
  Retained: 'The resource was deleted with deletionPolicy Retain: its volumes and streams are kept.',
  // addresses
  AddressUnplaced: 'No egress pod holds an address.',
  NoNodeForAddress: "No node matches the IPPool's placement.",
  AddressLost: 'The lease of an address ended without a new holder.',
  AddressMoved: 'An address has a new holder.',
  // domains
  RecordsMissing: 'A DNS record is not seen yet.',
  RecordsDifferent: 'A DNS record says something else than it should.',
  RecordsUnknown: 'DNS gave no answer.',
  RecordsSeen: 'All DNS records are seen.',
  KeyMissing: 'The Secret with a DKIM key, or the key in it, is not there.',
  KeyInvalid: 'The Secret holds something that is no private key of the algorithm.',
  KeyGenerated: 'A DKIM key was made.',
  // shards
  ShardMoved: 'A shard has a new owner.',
  ShardUnowned: 'A shard has no owner: its mail waits.',
  Fenced: 'A former owner was cut off before its shard was given on.',
  // people and the API server
  ScaleRefused: 'A change of replicas cannot be done; the message says why.',
  ForeignObject: 'An object of the needed name exists and belongs to somebody else.',
  WriteFailed: 'The API server refused a write; it is tried again.',
} as const;
export type Reason = keyof typeof REASONS;
