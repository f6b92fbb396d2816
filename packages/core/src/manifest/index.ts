// Manifests: their schema, reading them with the place of each mistake, versions, sizes, and what changed in the capabilities.

export { diffCapabilities, formatCapabilityDiff } from "./capabilities.ts";
export type { ManifestIssue } from "./issues.ts";
export { parseManifest, type ParseManifestOptions, requireSmall } from "./parse.ts";
export { parseSize } from "./size.ts";
export { isModuleId, isRange, isVersion, satisfies } from "./version.ts";
