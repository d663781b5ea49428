// Whether spooled mail survives the loss of a node, as far as claims tell.
import type { NewCondition } from '../../resources/conditions.ts';

/** Provisioners whose volumes cannot leave their node. */
const LOCAL = [
  'rancher.io/local-path',
  'kubernetes.io/no-provisioner',
  'k8s.io/minikube-hostpath',
  'openebs.io/local',
];

/** @param provisioners of the pool's claims; null: a claim names none. */
export function durableStorage(provisioners: readonly (string | null)[]): NewCondition {
  const local = provisioners.find((name) => name !== null && LOCAL.includes(name));
  const type = 'DurableStorage';
  if (local)
    return {
      type,
      status: 'False',
      reason: 'LocalVolume',
      message: `volumes of ${local} stay on their node: spooled mail is as durable as that node`,
    };
  const known = provisioners.length > 0 && provisioners.every((name) => name !== null);
  const message = known
    ? `volumes of ${provisioners[0]} can move`
    : 'the claims do not say who provisions the volumes';
  return { type, status: known ? 'True' : 'Unknown', reason: 'AsExpected', message };
}
