// What can go wrong when talking to the API server: it answered no, or it did not answer.

/** The API server refused: an HTTP error with its Status object. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** HTTP status code. */
  readonly status: number;
  /** Machine-readable reason of the Status object: NotFound, Conflict, AlreadyExists, Expired … */
  readonly reason: string;
  readonly retryAfterSeconds: number | undefined;

  constructor(status: number, reason: string, message: string, retryAfterSeconds?: number) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.retryAfterSeconds = retryAfterSeconds;
  }

  /** Reads an error answer, or the `object` of an ERROR event of a watch. */
  static parse(status: number, body: string, retryAfter?: string): ApiError {
    const answer = parseStatus(body);
    const seconds = Number(retryAfter ?? answer.details?.retryAfterSeconds);
    return new ApiError(
      answer.code ?? status,
      answer.reason ?? '',
      answer.message ?? (body.slice(0, 500) || `HTTP ${status}`),
      Number.isFinite(seconds) ? seconds : undefined,
    );
  }

  static isNotFound = (error: unknown): error is ApiError => has(error, 404);
  /** Somebody else wrote in between, or a precondition does not hold. */
  static isConflict = (error: unknown): error is ApiError =>
    has(error, 409) && error.reason !== 'AlreadyExists';
  static isAlreadyExists = (error: unknown): error is ApiError =>
    has(error, 409) && error.reason === 'AlreadyExists';
  static isForbidden = (error: unknown): error is ApiError => has(error, 403);
  static isInvalid = (error: unknown): error is ApiError => has(error, 422);
  /** The resource version is too old (etcd has compacted it): list again. */
  static isGone = (error: unknown): error is ApiError => has(error, 410);
  static isTooManyRequests = (error: unknown): error is ApiError => has(error, 429);
}

/** No answer: refused, reset, timed out. Whether a write took effect is unknown. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
}

/** A write was stopped here because this process no longer leads. */
export class NotLeading extends Error {
  override readonly name = 'NotLeading';
}

const has = (error: unknown, status: number): error is ApiError =>
  error instanceof ApiError && error.status === status;

interface StatusAnswer {
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: { readonly retryAfterSeconds?: number };
}

function parseStatus(body: string): StatusAnswer {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
