/** Damages bytes as disks, networks and people with bad intentions do: the same damage for the same seed. */
import { type Generator, generator } from "../../src/random.ts";

/** Values at which arithmetic on sizes goes wrong. */
const AWKWARD = [0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 2 ** 32, 2 ** 53];

type Mutation = (bytes: Uint8Array, random: Generator) => Uint8Array;

const MUTATIONS: readonly Mutation[] = [
  function flipBit(bytes, random) {
    bytes[random.integer(bytes.length)]! ^= 1 << random.integer(8);
    return bytes;
  },
  function setByte(bytes, random) {
    bytes[random.integer(bytes.length)] = random.integer(256);
    return bytes;
  },
  function setNumber(bytes, random) {
    const size = 2 ** random.integer(4);
    if (bytes.length < size) return bytes;
    const at = random.integer(bytes.length - size + 1);
    const value = BigInt(AWKWARD[random.integer(AWKWARD.length)]!);
    const isLittle = random.integer(2) === 0;
    for (let i = 0; i < size; i++) bytes[at + (isLittle ? i : size - 1 - i)] = Number((value >> BigInt(8 * i)) & 255n);
    return bytes;
  },
  function setDigits(bytes, random) {
    // Numbers that are written out, as in JSON and in the headers of .npy.
    const start = random.integer(bytes.length);
    const isDigit = (byte: number | undefined) => byte !== undefined && byte >= 0x30 && byte <= 0x39;
    const at = bytes.subarray(start).findIndex(isDigit) + start;
    const digit = 0x30 + random.integer(10);
    for (let i = at; at >= start && isDigit(bytes[i]); i++) bytes[i] = digit;
    return bytes;
  },
  function removePart(bytes, random) {
    const [from, to] = part(bytes, random);
    return join(bytes.subarray(0, from), bytes.subarray(to));
  },
  function repeatPart(bytes, random) {
    const [from, to] = part(bytes, random);
    return join(bytes.subarray(0, to), bytes.subarray(from));
  },
  function copyPart(bytes, random) {
    const [from, to] = part(bytes, random);
    bytes.copyWithin(random.integer(bytes.length), from, to);
    return bytes;
  },
  function clearPart(bytes, random) {
    return bytes.fill(0, ...part(bytes, random));
  },
  function cutOff(bytes, random) {
    return bytes.subarray(0, random.integer(bytes.length));
  },
];

/** A part of the bytes, more often a short one. */
function part(bytes: Uint8Array, random: Generator): [from: number, to: number] {
  const from = random.integer(bytes.length);
  const longest = Math.min(bytes.length - from, 2 ** random.integer(12));
  return [from, from + random.integer(longest + 1)];
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

/** A copy of the bytes with one to four damages. */
export function mutate(bytes: Uint8Array, seed: number): Uint8Array {
  const random = generator(seed);
  let mutated = Uint8Array.from(bytes);
  for (let count = 1 + random.integer(4); count > 0 && mutated.length > 0; count--) {
    mutated = Uint8Array.from(MUTATIONS[random.integer(MUTATIONS.length)]!(mutated, random));
  }
  return mutated;
}
