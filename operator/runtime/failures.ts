// How a reconcile may fail, as the controller tells them apart. Anything else that is thrown counts as Transient when it
// came from the API server or the network, and as Bug otherwise.

/** Try again later: something elsewhere is not as it should be. Back-off by the queue. */
export class Transient extends Error {
  override readonly name = 'Transient';
}

/** No use in trying again before the resource changes; a condition says so. Never retried by itself. */
export class Terminal extends Error {
  override readonly name = 'Terminal';
}

/** Our own mistake; counted as a crash, retried with back-off. */
export class Bug extends Error {
  override readonly name = 'Bug';
}
