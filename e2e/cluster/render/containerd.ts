/** Name of the image that holds a pod's namespaces; see e2e/image. */
export const PAUSE_IMAGE = 'localhost/postfleet-pause:dev';

/** containerd's configuration (version 2, as Debian 12 has it) for a node whose state is in `folder`. Pure. */
export function containerdConfig(folder: string): string {
  return `version = 2
root = "${folder}/containerd"
state = "${folder}/containerd-state"
[grpc]
  address = "${folder}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
  # without CAP_SYS_RESOURCE runc fails with "can't get final child's PID from pipe"
  restrict_oom_score_adj = true
  # else all clusters of the machine share one folder of namespaces, and nobody knows whose is whose
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${folder}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      Root = "${folder}/runc"
`;
}
