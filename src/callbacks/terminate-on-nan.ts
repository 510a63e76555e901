import type { Callback } from "../model/callbacks.ts";

/** Ends training quietly where the loss is not a number; without it `fit` fails. https://keras.io/api/callbacks/terminate_on_nan/ */
export const terminateOnNaN = (): Callback => ({ toleratesNaN: true });
