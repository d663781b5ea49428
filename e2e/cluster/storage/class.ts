// The storage class `local`, the default one: a folder on the pod's node, made when the pod has been given its node.

export const PROVISIONER = 'postfleet.io/local-folder';

export const storageClass = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name: 'local', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
  provisioner: PROVISIONER,
  volumeBindingMode: 'WaitForFirstConsumer',
  reclaimPolicy: 'Delete',
} as const;
