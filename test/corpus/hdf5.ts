/** What becomes of the files of interop/make_corpus.py: they load, or are refused with these words. */

export const LOADS = Symbol("loads");

const another = /"kernel" is of another type, expected float16, float32 or float64\.$/;
const link = /kernel is a soft link; links are not followed\.$/;
const elsewhere = /"kernel" takes its data from other files: not supported\.$/;
const filtered = (name: string) => new RegExp(`"kernel" passed through the filter\\(s\\) ${name}: not supported\\.$`);
const positive = (name: string, received: string) =>
  new RegExp(`${name} must be a positive integer, got ${received}\\.$`);
const damagedConfig = /the model's config is damaged\.$/;

export const HDF5_FILES: Readonly<Record<string, RegExp | typeof LOADS>> = {
  sound: LOADS,

  "external-link": /kernel is a link to another file; links are not followed\.$/,
  "external-link-to-passwords": /model_weights is a link to another file; links are not followed\.$/,
  "soft-link": link,
  "soft-links-in-a-circle": /model_weights\/dense is a soft link; links are not followed\.$/,
  "soft-link-to-nothing": link,
  "group-in-itself": /401 groups deep; at most 50 are followed\.$/,
  "group-in-itself-without-end": /10001 groups deep; at most 50 are followed\.$/,
  "root-in-a-layer": /model_weights\/dense has no attribute weight_names\.$/,

  "external-storage": elsewhere,
  "external-storage-in-itself": elsewhere,
  "external-storage-in-a-device": elsewhere,
  "virtual-data-set": elsewhere,
  "virtual-data-set-of-itself": elsewhere,
  "gzip-bomb": filtered("deflate"),
  shuffled: filtered("shuffle"),
  scaled: filtered("scaleoffset"),
  "in-chunks": LOADS,
  "never-written": /"kernel" was never written\.$/,
  "a-terabyte-never-written": /"kernel" claims 1099511627776 bytes, more than the file holds/,
  "a-shape-beyond-numbers": /"kernel" claims 18446744073709552000 bytes, more than the file holds/,
  "thirty-two-dimensions": /kernel has shape \(1, .*\), the model's config asks for \(3, 2\)\.$/,
  "no-elements": /kernel has shape \(3, 0\), the model's config asks for \(3, 2\)\.$/,
  "no-space-at-all": /"kernel" has no elements\.$/,

  integers: /"kernel" is int64, expected float16, float32 or float64\.$/,
  "complex-numbers": another,
  records: another,
  "lists-of-any-length": another,
  references: another,
  texts: /"kernel" is text, expected float16, float32 or float64\.$/,
  opaque: another,
  enumeration: another,
  "long-doubles": another,
  "half-precision": LOADS,
  "big-endian": LOADS,
  "arrays-in-elements": another,

  "a-weight-twice": /model_weights\/dense has "kernel" twice in weight_names\.$/,
  "a-weight-ten-thousand-times": /model_weights\/dense has "k" twice in weight_names\.$/,
  "a-layer-twice": /model_weights has "dense" twice in layer_names\.$/,
  "layers-of-one-name": /two layers are named "dense"; names must be unique\.$/,
  "names-that-climb": /weight "\.\.\/\.\.\/model_weights\/dense\/kernel" of layer "dense" is missing\.$/,
  "names-of-nothing": /weight "" of layer "dense" is missing\.$/,
  "names-that-objects-have": /the group of layer "__proto__" is missing from \/model_weights\.$/,
  "names-in-no-alphabet": /weight "\P{Cc}+" of layer "dense" is missing\.$/u,
  "names-that-are-numbers": /weight_names of \/model_weights\/dense must be made of strings\.$/,
  "a-missing-weight": /weight "bias" of layer "dense" is missing\.$/,

  "config-that-is-no-json": /model_config is no JSON/,
  "config-that-is-a-list": damagedConfig,
  "config-that-nests": damagedConfig,
  "config-that-names-prototypes": damagedConfig,
  "config-with-infinity": /model_config is no JSON/,
  "code-in-a-layer": /layer "x" is a Lambda, which is not supported/,
  "a-class-of-another-module": /is a system, which is not supported/,
  "a-class-that-objects-have": /layer "x" is a constructor, which is not supported/,
  "units-beyond-memory": positive("units", "1099511627776"),
  "units-of-no-number": positive("units", '"2"'),
  "units-below-zero": positive("units", "-1"),
  "inputs-beyond-numbers": positive("shape", "2147483648"),
  "inputs-of-nothing": positive("shape", "0"),
  "filter-beyond-memory": positive("filters", "2147483648"),
  "a-name-that-is-long": /the file has no weights for layer "x+\.+/,
  "two-thousand-layers": LOADS,
};
