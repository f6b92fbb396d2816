/**
 * The part of core that also runs where no kernel is, in the threads and processes of isolated guests: errors, plain data, how options are refused and texts shown. The same
 * things as behind the main door, without what validates manifests, so that a thread starts in a tenth of the time.
 */
export {
  asKeelsonError,
  describeThrown,
  fromWireError,
  isKeelsonError,
  KeelsonError,
  toWireError,
  withDetails,
} from "./contract/errors.ts";
export { decodeValue, encodeValue, isBigintText } from "./boundary/wire-value.ts";
export { suggest } from "./primitives/suggest.ts";
export { given } from "./primitives/given.ts";
export {
  invalidOptions,
  isObject,
  requireOptions,
  shown,
  type Wanted,
} from "./primitives/invalid-options.ts";
export { showControls } from "./primitives/control-characters.ts";
