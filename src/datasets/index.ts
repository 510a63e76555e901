/** The data sets, by name. */
export * as mnist from "./mnist.ts";
