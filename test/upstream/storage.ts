/** What the class local-path is, for upstream's tests of any storage: `--storage.testdriver`. */
export const localPathDriver = `
StorageClass:
  FromExistingClassName: local-path
DriverInfo:
  Name: local-path
  SupportedSizeRange:
    Min: 1Mi
  TopologyKeys: [kubernetes.io/hostname]
  Capabilities:
    persistence: true
    exec: true
    fsGroup: true
    multipods: true
    # A volume is on one node, and pods with it run there.
    singleNodeVolume: true
    topology: false
    block: false
    RWX: false
    readWriteOncePod: false
    controllerExpansion: false
    nodeExpansion: false
    snapshotDataSource: false
    pvcDataSource: false
    volumeLimits: false
`;
