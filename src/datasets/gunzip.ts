/** Gzipped files. */
import { UserError } from "../errors.ts";

/** The most that a file may unpack to: no data set here is larger. */
const LARGEST = 2 ** 31;
/** No small file may fill the memory: a file of any size may unpack to this much, a large one to so many times its own size. */
const SMALL = 2 ** 26;
const MOST_TIMES = 100;

/**
 * What is in a gzip file; its checksum is verified.
 *
 * @param name how messages call the file
 * @throws UserError for a file that is damaged, that unpacks to more than 2 GiB or to far more than its size
 */
export async function gunzip(bytes: Uint8Array, name: string, most = LARGEST): Promise<Uint8Array> {
  const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new DecompressionStream("gzip"));
  const largest = Math.min(most, Math.max(SMALL, MOST_TIMES * bytes.length));
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for (const reader = stream.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      chunks.push(value);
      length += value.length;
      if (length > largest) {
        await reader.cancel();
        throw new UserError(`${name}: unpacks to more than ${largest} bytes, which no data set needs.`);
      }
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${name} is no gzip file, or a damaged one.`, { cause: error });
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
