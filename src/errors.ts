/**
 * The two kinds of error that the project throws.
 *
 * - {@link UserError}: something that the caller can mend. The message is one line: what, where, expected, received,
 *   what to do. The command line prints it and exits with 2.
 * - {@link InternalError}: a defect of ours. The command line exits with 1.
 */
export class UserError extends Error {
  override readonly name = "UserError";

  constructor(message: string, options?: ErrorOptions) {
    // Names in damaged files, and files' own names, may hold anything.
    super(message.replace(/\s*\p{Cc}\s*/gu, " "), options);
  }
}

/** A defect of ours: an invariant that does not hold, or a kernel that trapped. */
export class InternalError extends Error {
  override readonly name = "InternalError";
}
