{{- /* Whom the admission policies bind: everybody but the operator, kubelets, and the controllers that act on what was decided elsewhere. */ -}}
{{- define "postfleet.admission.people" -}}
- name: not-the-operator
  expression: "request.userInfo.username != 'system:serviceaccount:{{ .Release.Namespace }}:postfleet-operator'"
- name: not-a-kubelet
  expression: "!('system:nodes' in request.userInfo.?groups.orValue([]))"
- name: not-a-system-controller
  expression: >-
    !(request.userInfo.username in [
    'system:apiserver',
    'system:kube-controller-manager',
    'system:kube-scheduler',
    'system:serviceaccount:kube-system:disruption-controller',
    'system:serviceaccount:kube-system:expand-controller',
    'system:serviceaccount:kube-system:generic-garbage-collector',
    'system:serviceaccount:kube-system:namespace-controller',
    'system:serviceaccount:kube-system:node-controller',
    'system:serviceaccount:kube-system:pod-garbage-collector',
    'system:serviceaccount:kube-system:pvc-protection-controller',
    'system:serviceaccount:kube-system:statefulset-controller',
    'system:serviceaccount:kube-system:taint-eviction-controller'])
{{- end -}}
