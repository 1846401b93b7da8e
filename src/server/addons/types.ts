/** What an add-on's manifest is made of. */
export interface AddonSettings {
  readonly clusterDns: string;
  readonly clusterDomain: string;
  /** The full name of an image in the bundle, by its short one. */
  readonly image: (name: string) => string;
}

/** What kagent brings into a cluster and users may leave out. */
export interface Addon {
  /** Of its folder and its manifest's file, and what `--disable` takes. */
  readonly name: string;
  /** For the help and the docs: a phrase. */
  readonly summary: string;
  /** Short names of the images that the bundle has for it. */
  readonly images: readonly string[];
  manifest(settings: AddonSettings): string;
}
