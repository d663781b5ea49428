// Who asks for a certificate: proven by the API server, never taken from the request.
import { type Identity, ROLES, type Role } from '../../process/identity/name.ts';
import { ApiError } from '../runtime/errors.ts';
import { type KubeObject, TYPES } from '../runtime/objects.ts';
import type { KubeApi } from '../runtime/transport.ts';

export const AUDIENCE = 'postfleet.io';

/** Why a caller gets no certificate; `status` is the HTTP status. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: 400 | 401 | 403;
  /** One CamelCase word, also the metric's label. */
  readonly reason: string;

  constructor(status: 400 | 401 | 403, reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
    this.reason = reason;
  }
}

/** Which namespaces pods of a role may be in. */
export type RoleNamespaces = (role: Role, namespace: string) => boolean;

interface TokenReview extends KubeObject {
  readonly spec: { readonly token: string; readonly audiences: readonly string[] };
  readonly status?: {
    readonly authenticated?: boolean;
    readonly audiences?: readonly string[];
    readonly error?: string;
    readonly user?: {
      readonly username?: string;
      readonly extra?: Readonly<Record<string, readonly string[]>>;
    };
  };
}

interface Pod extends KubeObject {
  readonly spec: { readonly serviceAccountName?: string };
  readonly status?: { readonly phase?: string };
}

/** A pod as its token claims it. */
interface Claim {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly role: Role;
  readonly pod: string;
  readonly uid: string;
}

/**
 * The identity of the pod whose projected token this is: reviewed by the API server for our audience, its pod read live.
 * @throws Refusal, or the error of asking the API server
 */
export async function identifyCaller(
  api: Pick<KubeApi, 'get' | 'review'>,
  token: string,
  allowed: RoleNamespaces,
): Promise<Identity> {
  const claim = claimOf(await reviewed(api, token));
  const { namespace, role, pod, uid } = claim;
  if (!allowed(role, namespace))
    throw new Refusal(403, 'WrongNamespace', `${role} pods do not belong in namespace ${namespace}`);
  const found = await api.get<Pod>(TYPES.pods, { namespace, name: pod }).catch((error: unknown) => {
    if (ApiError.isNotFound(error))
      throw new Refusal(403, 'PodGone', `pod ${namespace}/${pod} does not exist`);
    throw error;
  });
  return { namespace, role, pool: poolOf(found, claim), pod, uid };
}

async function reviewed(api: Pick<KubeApi, 'review'>, token: string) {
  const { status } = await api.review<TokenReview>(TYPES.tokenReviews, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenReview',
    metadata: { name: '' },
    spec: { token, audiences: [AUDIENCE] },
  });
  // An API server that does not know audiences would leave them out: then the token may have been meant for anyone.
  if (!status?.authenticated || !status.audiences?.includes(AUDIENCE))
    throw new Refusal(401, 'TokenRefused', status?.error || `the token is not valid for ${AUDIENCE}`);
  return status.user ?? {};
}

function claimOf({
  username = '',
  extra = {},
}: NonNullable<NonNullable<TokenReview['status']>['user']>): Claim {
  const [, namespace, serviceAccount] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(username) ?? [];
  const role = ROLES.find((name) => serviceAccount === `postfleet-${name}`);
  if (!namespace || !serviceAccount || !role)
    throw new Refusal(
      403,
      'UnknownServiceAccount',
      `${username || 'the caller'} is no service account of a role`,
    );
  const pod = extra['authentication.kubernetes.io/pod-name']?.[0];
  const uid = extra['authentication.kubernetes.io/pod-uid']?.[0];
  if (!pod || !uid) throw new Refusal(403, 'UnboundToken', 'the token is not bound to a pod');
  return { namespace, serviceAccount, role, pod, uid };
}

function poolOf({ metadata, spec, status }: Pod, { role, uid, serviceAccount }: Claim): string | null {
  if (metadata.uid !== uid)
    throw new Refusal(403, 'WrongPod', `the token is of an earlier pod named ${metadata.name} (${uid})`);
  if (spec.serviceAccountName !== serviceAccount)
    throw new Refusal(403, 'WrongPod', `the pod does not run as ${serviceAccount}`);
  if (status?.phase === 'Succeeded' || status?.phase === 'Failed')
    throw new Refusal(403, 'PodEnded', `the pod has ended (${status.phase})`);
  const label = POOL_LABELS[role];
  const pool = label ? metadata.labels?.[label] : null;
  if (pool === undefined) throw new Refusal(403, 'NoPool', `the pod has no label ${label}`);
  return pool;
}

const POOL_LABELS: Partial<Record<Role, string>> = {
  delivery: 'postfleet.io/pool',
  egress: 'postfleet.io/ip-pool',
};
