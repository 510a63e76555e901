/** NumPy's `.npy`: one array. https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
import { show } from "../arguments.ts";
import { type DType, formatShape, NDArray, sizeOf, type TypedArray } from "../array.ts";
import { UserError } from "../errors.ts";

const MAGIC = [0x93, ...[..."NUMPY"].map((letter) => letter.charCodeAt(0))];
const LARGEST_INT32 = 2 ** 31 - 1;

interface ElementType {
  readonly bytes: number;
  readonly dtype: DType;
  readonly read: (view: DataView, at: number, littleEndian: boolean) => number;
}

/** NumPy's types by their codes, and what they become here: the smallest of our three that holds them. */
const ELEMENTS: Readonly<Record<string, ElementType>> = {
  b1: { bytes: 1, dtype: "uint8", read: (view, at) => view.getUint8(at) },
  u1: { bytes: 1, dtype: "uint8", read: (view, at) => view.getUint8(at) },
  i1: { bytes: 1, dtype: "int32", read: (view, at) => view.getInt8(at) },
  u2: { bytes: 2, dtype: "int32", read: (view, at, little) => view.getUint16(at, little) },
  i2: { bytes: 2, dtype: "int32", read: (view, at, little) => view.getInt16(at, little) },
  u4: { bytes: 4, dtype: "int32", read: (view, at, little) => view.getUint32(at, little) },
  i4: { bytes: 4, dtype: "int32", read: (view, at, little) => view.getInt32(at, little) },
  u8: { bytes: 8, dtype: "int32", read: (view, at, little) => Number(view.getBigUint64(at, little)) },
  i8: { bytes: 8, dtype: "int32", read: (view, at, little) => Number(view.getBigInt64(at, little)) },
  f4: { bytes: 4, dtype: "float32", read: (view, at, little) => view.getFloat32(at, little) },
  f8: { bytes: 8, dtype: "float32", read: (view, at, little) => view.getFloat64(at, little) },
};

/** What NumPy calls the types that we do not read, by the first letter of their codes. */
const REFUSED: Readonly<Record<string, string>> = {
  O: "Python objects, which only unpickling could read, and that can run code",
  f: "floats of 16 or 128 bits",
  c: "complex numbers",
  S: "byte strings",
  U: "strings",
  V: "records",
  M: "dates",
  m: "time spans",
};

interface Header {
  readonly descr: string;
  readonly isFortran: boolean;
  readonly shape: readonly number[];
  /** Where the elements begin. */
  readonly end: number;
}

/** Reads the header, a Python dictionary as text, of which only the form that NumPy writes is understood. */
function readHeader(bytes: Uint8Array, name: string): Header {
  const damaged = (what: string) => new UserError(`${name}: a damaged .npy file (${what}); write it again.`);
  if (bytes.length < 12 || MAGIC.some((byte, i) => bytes[i] !== byte)) {
    throw new UserError(`${name}: expected NumPy's .npy format, found something else.`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = bytes[6] === 1 ? 10 : 12;
  const end = start + (start === 10 ? view.getUint16(8, true) : view.getUint32(8, true));
  if (end > bytes.length) throw damaged("its header is cut off");
  const text = new TextDecoder().decode(bytes.subarray(start, end));
  const field = (key: string, form: string) => new RegExp(`'${key}': ?(${form})`).exec(text)?.[1];
  const descr = field("descr", "'[^']*'|\\[.*\\]");
  const order = field("fortran_order", "True|False");
  const shape = field("shape", "\\([\\d, ]*\\)");
  if (descr === undefined || order === undefined || shape === undefined) throw damaged("its header cannot be read");
  const dimensions = (shape.match(/\d+/g) ?? []).map(Number);
  return { descr: descr.replaceAll("'", ""), isFortran: order === "True", shape: dimensions, end };
}

function elementType(descr: string, name: string): ElementType {
  const found = /^[<>|=]?([a-z]\d+)$/.exec(descr);
  const type = found && ELEMENTS[found[1]!];
  if (type) return type;
  const kind = descr.startsWith("[") ? "V" : descr.replace(/^[<>|=]/, "").charAt(0);
  const known = Object.hasOwn(REFUSED, kind) ? ` (${REFUSED[kind]})` : "";
  throw new UserError(
    `${name}: elements of NumPy's type ${show(descr)}${known} are not read; save uint8, int32, int64, float32 or float64.`,
  );
}

function emptyArray(dtype: DType, length: number): TypedArray {
  if (dtype === "uint8") return new Uint8Array(length);
  return dtype === "int32" ? new Int32Array(length) : new Float32Array(length);
}

/** The elements of an array whose first index runs fastest (Fortran's order), with the last one running fastest. */
export function toRowMajor<Data extends TypedArray>(data: Data, shape: readonly number[]): Data {
  const result = data.slice() as Data;
  const strides = shape.map((_, axis) => sizeOf(shape.slice(0, axis)));
  const index = shape.map(() => 0);
  let from = 0;
  for (let to = 0; to < data.length; to++) {
    result[to] = data[from]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      from -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return result;
}

/**
 * Parses a `.npy` file. Bytes and booleans become uint8, other integers int32, floats of 32 and 64 bits float32.
 *
 * @param name how messages call the file
 * @throws UserError for a damaged file, for elements of another type (Python objects above all), and for integers
 *   beyond 32 bits.
 */
export function parseNpy(bytes: Uint8Array, name: string): NDArray {
  const { descr, isFortran, shape, end } = readHeader(bytes, name);
  const type = elementType(descr, name);
  const count = sizeOf(shape);
  if (bytes.length - end !== count * type.bytes) {
    throw new UserError(
      `${name}: a damaged .npy file: its header says ${formatShape(shape)} of ${descr}, which makes ` +
        `${count * type.bytes} bytes, but ${bytes.length - end} follow.`,
    );
  }
  const data = emptyArray(type.dtype, count);
  if (type.bytes === 1 && type.dtype === "uint8") data.set(bytes.subarray(end));
  else {
    const view = new DataView(bytes.buffer, bytes.byteOffset + end);
    const littleEndian = !descr.startsWith(">");
    for (let i = 0; i < count; i++) {
      const value = type.read(view, i * type.bytes, littleEndian);
      if (type.dtype === "int32" && (value > LARGEST_INT32 || value < -LARGEST_INT32 - 1)) {
        throw new UserError(`${name}: element ${i} is ${value}, which does not fit into an integer of 32 bits.`);
      }
      data[i] = value;
    }
  }
  return new NDArray(isFortran && shape.length > 1 ? toRowMajor(data, shape) : data, shape);
}

const DESCRIPTIONS: Readonly<Record<DType, string>> = { float32: "<f4", int32: "<i4", uint8: "|u1" };

/** The bytes of a `.npy` file, version 1.0. */
export function encodeNpy({ dtype, shape, data }: NDArray): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const text = `{'descr': '${DESCRIPTIONS[dtype]}', 'fortran_order': False, 'shape': ${tuple}, }`;
  // The elements begin at a multiple of 64 bytes, and the header ends with a line feed.
  const end = Math.ceil((10 + text.length + 1) / 64) * 64;
  const bytes = new Uint8Array(end + data.byteLength);
  bytes.set([...MAGIC, 1, 0, (end - 10) & 0xff, (end - 10) >> 8]);
  bytes.set(new TextEncoder().encode(`${text.padEnd(end - 11)}\n`), 10);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), end);
  return bytes;
}
