// The API server's verbs on plain JSON objects: no models, so no field is ever dropped.
import { type Clock, type Random, systemClock } from './clock.ts';
import { type Connection, connectByKubeConfig } from './connection.ts';
import { ApiError, NotLeading } from './errors.ts';
import { type Call, exchange, open } from './http.ts';
import { jsonLines } from './lines.ts';
import { type AnyObject, type KubeObject, pathOf, type Ref, type ResourceType } from './objects.ts';

export const FIELD_MANAGER = 'postfleet-operator';

export interface ListOptions {
  /** Absent: all namespaces. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface List<T> {
  readonly items: readonly T[];
  /** The version of the collection, from which to watch. */
  readonly resourceVersion: string;
}

export type Patch =
  /** RFC 6902. Not repeated when the answer is lost. */
  | { readonly kind: 'json'; readonly operations: readonly Readonly<Record<string, unknown>>[] }
  /** RFC 7396. */
  | { readonly kind: 'merge'; readonly body: unknown }
  /** Server-side apply: `body` holds exactly the fields this manager owns. */
  | {
      readonly kind: 'apply';
      readonly body: unknown;
      readonly fieldManager?: string;
      readonly force?: boolean;
    };

export interface DeleteOptions {
  /** Preconditions: refused with Conflict when the object is another one, or has changed. */
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly propagationPolicy?: 'Foreground' | 'Background' | 'Orphan';
  readonly gracePeriodSeconds?: number;
}

export interface Scale extends KubeObject {
  readonly spec: { readonly replicas: number };
  readonly status?: { readonly replicas: number; readonly selector?: string };
}

export type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; readonly object: T }
  | { readonly type: 'ERROR'; readonly object: unknown };

export interface KubeApiOptions {
  readonly clock?: Clock;
  readonly random?: Random;
  /** For one attempt of one call; watches have none. */
  readonly timeoutMs?: number;
  readonly attempts?: number;
  /** Asked before each write; false: the write fails with NotLeading. */
  readonly mayWrite?: () => boolean;
}

interface ListAnswer<T> {
  readonly items: readonly T[] | null;
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
}

const CONTENT_TYPES = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  apply: 'application/apply-patch+yaml', // JSON is YAML
} as const;

/** A page of a list: large collections are not to be held twice in memory by the API server. */
const PAGE = 500;

export class KubeApi {
  readonly #connection: Connection;
  readonly #options: Required<KubeApiOptions>;

  constructor(connection: Connection, options: KubeApiOptions = {}) {
    this.#connection = connection;
    this.#options = {
      clock: options.clock ?? systemClock,
      random: options.random ?? Math.random,
      timeoutMs: options.timeoutMs ?? 30_000,
      attempts: options.attempts ?? 4,
      mayWrite: options.mayWrite ?? (() => true),
    };
  }

  /** By `KUBECONFIG`, `~/.kube/config` or the pod's service account. */
  static fromDefault(options: KubeApiOptions = {}): KubeApi {
    return new KubeApi(connectByKubeConfig(undefined, options.clock), options);
  }

  /** The same connections; every write first asks `mayWrite` (a leader's `() => elector.isLeader`). */
  fenced(mayWrite: () => boolean): KubeApi {
    return this.with({ mayWrite });
  }

  /** The same connections with other options. */
  with(options: KubeApiOptions): KubeApi {
    return new KubeApi(this.#connection, { ...this.#options, ...options });
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  /** @throws ApiError (404 when absent: `ApiError.isNotFound`) */
  get<T extends KubeObject = AnyObject>(type: ResourceType, ref: Ref, signal?: AbortSignal): Promise<T> {
    return this.#read(pathOf(type, ref), {}, signal) as Promise<T>;
  }

  /** All objects, gathered by pages in one consistent state: never from the API server's own cache. */
  async list<T extends KubeObject = AnyObject>(
    type: ResourceType,
    options: ListOptions = {},
  ): Promise<List<T>> {
    const { namespace, labelSelector, fieldSelector, signal } = options;
    const items: T[] = [];
    let page: ListAnswer<T> | undefined;
    do {
      const query = { labelSelector, fieldSelector, limit: PAGE, continue: page?.metadata.continue };
      page = (await this.#read(pathOf(type, { namespace }), query, signal)) as ListAnswer<T>;
      for (const item of page.items ?? []) items.push(item);
    } while (page.metadata.continue);
    return { items, resourceVersion: page.metadata.resourceVersion };
  }

  /**
   * Creates the object, or with `subresource` (`eviction`, `token`) posts it to that of the object it names.
   * @throws ApiError (`isAlreadyExists`), ConnectionError: then whether it exists is unknown
   */
  create<T extends KubeObject>(type: ResourceType, object: T, subresource?: string): Promise<T> {
    const { namespace } = object.metadata;
    return this.#write({
      method: 'POST',
      path: subresource ? pathOf(type, object.metadata, subresource) : pathOf(type, { namespace }),
      query: { fieldManager: FIELD_MANAGER },
      body: object,
      idempotent: false,
    });
  }

  /** Replaces the object; with `metadata.resourceVersion` only if unchanged since. @throws ApiError (`isConflict`) */
  update<T extends KubeObject>(type: ResourceType, object: T, subresource?: string): Promise<T> {
    return this.#write({
      method: 'PUT',
      path: pathOf(type, object.metadata, subresource),
      query: { fieldManager: FIELD_MANAGER },
      body: object,
      idempotent: true,
    });
  }

  patch<T extends KubeObject = AnyObject>(
    type: ResourceType,
    ref: Ref,
    patch: Patch,
    subresource?: string,
  ): Promise<T> {
    const apply = patch.kind === 'apply' ? patch : undefined;
    return this.#write({
      method: 'PATCH',
      path: pathOf(type, ref, subresource),
      query: { fieldManager: apply?.fieldManager ?? FIELD_MANAGER, force: apply?.force },
      body: patch.kind === 'json' ? patch.operations : patch.body,
      contentType: CONTENT_TYPES[patch.kind],
      idempotent: patch.kind !== 'json',
    });
  }

  /** Server-side apply, by force: the fields in `object` are this manager's. It needs apiVersion, kind and name. */
  apply<T extends KubeObject>(type: ResourceType, object: T, fieldManager = FIELD_MANAGER): Promise<T> {
    return this.patch(type, object.metadata, { kind: 'apply', body: object, fieldManager, force: true });
  }

  patchStatus<T extends KubeObject = AnyObject>(type: ResourceType, ref: Ref, patch: Patch): Promise<T> {
    return this.patch(type, ref, patch, 'status');
  }

  /** Server-side apply of `status` alone, under a manager of its own. */
  applyStatus<T extends KubeObject>(
    type: ResourceType,
    object: T,
    fieldManager = `${FIELD_MANAGER}-status`,
  ): Promise<T> {
    return this.patch(
      type,
      object.metadata,
      { kind: 'apply', body: object, fieldManager, force: true },
      'status',
    );
  }

  /** Deletes, or does nothing when it is gone already. @throws ApiError (`isConflict` when a precondition fails) */
  async delete(type: ResourceType, ref: Ref, options: DeleteOptions = {}): Promise<void> {
    const { uid, resourceVersion, ...rest } = options;
    await this.#write<AnyObject>({
      method: 'DELETE',
      path: pathOf(type, ref),
      body: { kind: 'DeleteOptions', apiVersion: 'v1', ...rest, preconditions: { uid, resourceVersion } },
      idempotent: true,
    }).catch((error: unknown) => {
      if (!ApiError.isNotFound(error)) throw error;
    });
  }

  getScale(type: ResourceType, ref: Ref): Promise<Scale> {
    return this.#read(pathOf(type, ref, 'scale')) as Promise<Scale>;
  }

  /**
   * Writes `replicas` through the scale subresource, only if the object is still the one with this UID and version.
   * @throws ApiError (`isConflict`)
   */
  scale(
    type: ResourceType,
    ref: Ref & { readonly uid: string; readonly resourceVersion: string },
    replicas: number,
  ): Promise<Scale> {
    const { namespace, name, uid, resourceVersion } = ref;
    const metadata = { name, uid, resourceVersion, ...(namespace ? { namespace } : {}) };
    const body = { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata, spec: { replicas } };
    return this.update<Scale>(type, body, 'scale');
  }

  /** A `create` whose answer is all there is to it: TokenReview and the like. Repeated like a read. */
  review<T extends KubeObject>(type: ResourceType, object: T): Promise<T> {
    return this.#exchange({
      method: 'POST',
      path: pathOf(type),
      body: object,
      idempotent: true,
    }) as Promise<T>;
  }

  /**
   * One watch from `resourceVersion` on, until the server ends it.
   * @throws ApiError (`isGone`), ConnectionError, BrokenStream
   */
  async *watch<T extends KubeObject = AnyObject>(
    type: ResourceType,
    options: ListOptions & { readonly resourceVersion: string; readonly timeoutSeconds: number },
  ): AsyncGenerator<WatchEvent<T>> {
    const { namespace, signal, ...selectors } = options;
    const query = { ...selectors, watch: true, allowWatchBookmarks: true };
    const call: Call = { method: 'GET', path: pathOf(type, { namespace }), query, idempotent: true, signal };
    const answer = await open(this.#connection, call);
    yield* jsonLines(answer.body) as AsyncGenerator<WatchEvent<T>>;
  }

  #read(path: string, query: Call['query'] = {}, signal?: AbortSignal): Promise<unknown> {
    return this.#exchange({ method: 'GET', path, query, idempotent: true, signal });
  }

  async #write<T>(call: Call): Promise<T> {
    if (!this.#options.mayWrite()) throw new NotLeading(`${call.method} ${call.path}: not the leader`);
    return (await this.#exchange(call)) as T;
  }

  #exchange(call: Call): Promise<unknown> {
    return exchange(this.#connection, call, this.#options);
  }
}
