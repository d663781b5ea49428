// What can go wrong with the spool, as its callers tell them apart.

/** Changes were not made durable: the disk is full, read-only or failing. None of them is in the spool. */
export class SpoolWriteError extends Error {
  override readonly name = 'SpoolWriteError';
  readonly path: string;

  constructor(path: string, why: string, cause?: unknown) {
    super(`spool ${path} cannot be written: ${why}`, { cause });
    this.path = path;
  }
}

/** One record does not match its checksum or cannot be read; it stays where it is, everything else is served. */
export class CorruptRecordError extends Error {
  override readonly name = 'CorruptRecordError';
  readonly hopId: string;

  constructor(path: string, hopId: string, why: string, cause?: unknown) {
    super(`spool ${path}: the record of ${hopId} is corrupt: ${why}`, { cause });
    this.hopId = hopId;
  }
}

/** The volume holds a spool of a format that this release does not read. It is left untouched. */
export class SpoolFormatError extends Error {
  override readonly name = 'SpoolFormatError';

  constructor(path: string, found: string, known: string) {
    super(
      `spool ${path} has format ${found}; this release reads ${known}: run the release that wrote it, or a newer one`,
    );
  }
}
